package dev.edgernn.sample;

import android.app.Notification;
import android.app.NotificationChannel;
import android.app.NotificationManager;
import android.app.Service;
import android.content.Context;
import android.content.Intent;
import android.content.pm.ServiceInfo;
import android.media.AudioFormat;
import android.media.AudioRecord;
import android.media.MediaRecorder;
import android.os.Build;
import android.os.IBinder;
import android.util.Log;
import dev.edgernn.Listener;
import dev.edgernn.Model;

/** Listens while other apps are in front: labels come as a notification. */
public final class ListenService extends Service {
    private static final String CHANNEL = "listen";
    private static final int ID = 1;
    private static final int RATE_HZ = 48_000; // every device has it; the listener resamples
    private static final int PIECE = RATE_HZ / 10;

    private volatile boolean running;
    private Thread thread;

    @Override
    public int onStartCommand(Intent intent, int flags, int startId) {
        if (Build.VERSION.SDK_INT >= 26) {
            NotificationChannel channel =
                    new NotificationChannel(CHANNEL, "Words", NotificationManager.IMPORTANCE_LOW);
            notifications().createNotificationChannel(channel);
        }
        if (Build.VERSION.SDK_INT >= 30) {
            startForeground(ID, notification("listening"), ServiceInfo.FOREGROUND_SERVICE_TYPE_MICROPHONE);
        } else {
            startForeground(ID, notification("listening"));
        }
        if (thread == null) {
            running = true;
            thread = new Thread(this::listen, "listen");
            thread.start();
        }
        return START_NOT_STICKY; // a restart in the background may not use the microphone
    }

    @Override
    public void onDestroy() {
        running = false;
        super.onDestroy();
    }

    @Override
    public IBinder onBind(Intent intent) {
        return null;
    }

    private void listen() {
        AudioRecord record = null;
        try (Model model = Model.fromAsset(this, "words.ernn")) {
            int least = AudioRecord.getMinBufferSize(
                    RATE_HZ, AudioFormat.CHANNEL_IN_MONO, AudioFormat.ENCODING_PCM_16BIT);
            record = new AudioRecord(
                    MediaRecorder.AudioSource.VOICE_RECOGNITION, RATE_HZ, AudioFormat.CHANNEL_IN_MONO,
                    AudioFormat.ENCODING_PCM_16BIT, Math.max(least, 4 * PIECE));
            Listener listener = model.listener(
                    RATE_HZ, (label, score, seconds) -> notifications().notify(ID, notification(label)));
            short[] pcm = new short[PIECE];
            record.startRecording();
            while (running) {
                int count = record.read(pcm, 0, PIECE);
                if (count < 0) throw new IllegalStateException("the microphone failed with " + count);
                listener.feed(pcm, count);
            }
        } catch (Exception error) {
            Log.e("listen", "listening ended", error);
            stopSelf();
        } finally {
            if (record != null) record.release();
        }
    }

    private Notification notification(String text) {
        Notification.Builder builder =
                Build.VERSION.SDK_INT >= 26 ? new Notification.Builder(this, CHANNEL) : builderOfOldAndroid();
        return builder.setSmallIcon(android.R.drawable.ic_btn_speak_now).setContentTitle(text).build();
    }

    @SuppressWarnings("deprecation")
    private Notification.Builder builderOfOldAndroid() {
        return new Notification.Builder(this);
    }

    private NotificationManager notifications() {
        return (NotificationManager) getSystemService(Context.NOTIFICATION_SERVICE);
    }
}
