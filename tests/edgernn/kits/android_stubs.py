"""What the sample app and the module of React Native use of Android, as far as types go."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CLASSES: Final = {
    "android.Manifest": "class @ { public static final class permission {"
    " public static final String RECORD_AUDIO = \"\"; } }",
    "android.R": "class @ { public static final class drawable {"
    " public static final int ic_btn_speak_now = 1; } }",
    "android.annotation.SuppressLint": "@interface @ { String[] value(); }",
    "android.app.Activity": "class @ extends android.content.Context {"
    " protected void onCreate(android.os.Bundle state) {}"
    " public void setContentView(android.view.View view) {}"
    " public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {}"
    " public final void requestPermissions(String[] permissions, int request) {} }",
    "android.app.Notification": "class @ { public static class Builder {"
    " public Builder(android.content.Context context) {}"
    " public Builder(android.content.Context context, String channel) {}"
    " public Builder setSmallIcon(int icon) { return this; }"
    " public Builder setContentTitle(CharSequence title) { return this; }"
    " public Notification build() { return null; } } }",
    "android.app.NotificationChannel": "class @ {"
    " public @(String id, CharSequence name, int importance) {} }",
    "android.app.NotificationManager": "class @ { public static final int IMPORTANCE_LOW = 2;"
    " public void createNotificationChannel(NotificationChannel channel) {}"
    " public void notify(int id, Notification notification) {} }",
    "android.app.Service": "abstract class @ extends android.content.Context {"
    " public static final int START_NOT_STICKY = 2;"
    " public int onStartCommand(android.content.Intent intent, int flags, int id) { return 0; }"
    " public void onDestroy() {}"
    " public abstract android.os.IBinder onBind(android.content.Intent intent);"
    " public final void startForeground(int id, Notification notification) {}"
    " public final void startForeground(int id, Notification notification, int type) {}"
    " public final void stopSelf() {} }",
    "android.content.Context": "class @ { public static final String NOTIFICATION_SERVICE = \"\";"
    " public android.content.res.AssetManager getAssets() { return null; }"
    " public Object getSystemService(String name) { return null; }"
    " public int checkSelfPermission(String permission) { return 0; }"
    " public Object startForegroundService(Intent service) { return null; }"
    " public Object startService(Intent service) { return null; }"
    " public boolean stopService(Intent service) { return true; } }",
    "android.content.Intent": "class @ { public @(Context context, Class<?> target) {} }",
    "android.content.pm.PackageManager": "class @ {"
    " public static final int PERMISSION_GRANTED = 0; }",
    "android.content.pm.ServiceInfo": "class @ {"
    " public static final int FOREGROUND_SERVICE_TYPE_MICROPHONE = 128; }",
    "android.content.res.AssetManager": "class @ {"
    " public java.io.InputStream open(String name) throws java.io.IOException { return null; } }",
    "android.media.AudioFormat": "class @ { public static final int CHANNEL_IN_MONO = 16,"
    " ENCODING_PCM_16BIT = 2; }",
    "android.media.AudioRecord": "class @ {"
    " public @(int source, int rate, int channels, int format, int bytes) {}"
    " public static int getMinBufferSize(int rate, int channels, int format) { return 0; }"
    " public void startRecording() {} public void release() {}"
    " public int read(short[] data, int offset, int size) { return 0; } }",
    "android.media.MediaRecorder": "class @ { public static final class AudioSource {"
    " public static final int VOICE_RECOGNITION = 6; } }",
    "android.os.Build": "class @ { public static final class VERSION {"
    " public static final int SDK_INT = 21; } }",
    "android.os.Bundle": "class @ {}",
    "android.os.IBinder": "interface @ {}",
    "android.util.Log": "class @ {"
    " public static int e(String tag, String text, Throwable error) { return 0; } }",
    "android.view.View": "class @ {"
    " public interface OnClickListener { void onClick(View view); }"
    " public void setOnClickListener(OnClickListener listener) {} }",
    "android.widget.Button": "class @ extends android.view.View {"
    " public @(android.content.Context context) {}"
    " public void setText(CharSequence text) {} public void setTextSize(float size) {} }",
    "com.facebook.react.bridge.Arguments": "class @ {"
    " public static WritableMap createMap() { return null; } }",
    "com.facebook.react.bridge.Promise": "interface @ { void resolve(Object value);"
    " void reject(String code, Throwable error); }",
    "com.facebook.react.bridge.ReactApplicationContext": "class @ extends android.content.Context {"
    " public void emitDeviceEvent(String name, Object data) {} }",
    "com.facebook.react.bridge.WritableMap": "interface @ {"
    " void putString(String key, String value);"
    " void putDouble(String key, double value); }",
    # React Native makes it of NativeErnn.ts.
    "dev.edgernn.reactnative.NativeErnnSpec": "abstract class @ {"
    " private final com.facebook.react.bridge.ReactApplicationContext context;"
    " protected @(com.facebook.react.bridge.ReactApplicationContext context) {"
    " this.context = context; }"
    " protected com.facebook.react.bridge.ReactApplicationContext getReactApplicationContext() {"
    " return context; }"
    " public abstract String getName(); public abstract void stop();"
    " public abstract void start(com.facebook.react.bridge.Promise promise);"
    " public abstract void addListener(String event);"
    " public abstract void removeListeners(double count); }",
}  # fmt: skip


def write_stubs(folder: Path) -> list[Path]:
    """A source for each class, below `folder`."""
    paths = []
    for name, body in _CLASSES.items():
        package, _, simple = name.rpartition(".")
        path = folder / package.replace(".", "/") / f"{simple}.java"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"package {package};\n\npublic {_filled(body, simple)}\n")
        paths.append(path)
    return paths


def _filled(body: str, name: str) -> str:
    return body.replace("@interface", "#").replace("@", name).replace("#", "@interface")
