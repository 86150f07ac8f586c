package dev.edgernn.sample;

import android.Manifest;
import android.app.Activity;
import android.content.Intent;
import android.content.pm.PackageManager;
import android.os.Build;
import android.os.Bundle;
import android.widget.Button;

/** One button: asks for the microphone, then starts the service and stops it. */
public final class ListenActivity extends Activity {
    private Button button;
    private boolean listening;

    @Override
    protected void onCreate(Bundle state) {
        super.onCreate(state);
        button = new Button(this);
        button.setTextSize(32);
        button.setOnClickListener(view -> toggle());
        setContentView(button);
        show();
    }

    @Override
    public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
        if (results.length > 0 && results[0] == PackageManager.PERMISSION_GRANTED) toggle();
        else button.setText("The microphone is not allowed");
    }

    private void toggle() {
        if (Build.VERSION.SDK_INT >= 23
                && checkSelfPermission(Manifest.permission.RECORD_AUDIO) != PackageManager.PERMISSION_GRANTED) {
            requestPermissions(
                    new String[] {Manifest.permission.RECORD_AUDIO, "android.permission.POST_NOTIFICATIONS"}, 1);
            return;
        }
        Intent service = new Intent(this, ListenService.class);
        if (listening) stopService(service);
        else if (Build.VERSION.SDK_INT >= 26) startForegroundService(service);
        else startService(service);
        listening = !listening;
        show();
    }

    private void show() {
        button.setText(listening ? "Stop" : "Listen");
    }
}
