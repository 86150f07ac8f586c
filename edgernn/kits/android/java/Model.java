package dev.edgernn;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * An .ernn model. Threads may share it; each needs a session or listener of its own.
 *
 * <pre>
 * Model model = Model.fromAsset(context, "words.ernn");
 * Listener listener = model.listener(48000, (label, score, seconds) -> show(label));
 * listener.feed(pcm, count);
 * </pre>
 */
public final class Model implements AutoCloseable {
    public final List<Port> inputs;
    public final List<Port> outputs;
    public final List<String> labels;
    /** Whether {@link Session#step} works: no layer looks ahead. */
    public final boolean isStreaming;
    /** Samples a second of its recipe for sound; 0 where the model takes no sound. */
    public final int soundRate;
    /** Samples a second of its recipe for sensors; 0 where the model takes none. */
    public final int sensorRate;

    final List<Port> allInputs;
    final List<Port> allOutputs;
    private final Native.Memory bytes;
    private final Native.Memory handle;
    private volatile boolean closed;

    private Model(byte[] content) {
        if (content == null) throw new IllegalArgumentException("the model's bytes are null");
        // An asset lies at any address: copied once to where the library can use it in place.
        bytes = new Native.Memory(content.length);
        bytes.buffer.put(content);
        handle = new Native.Memory(Native.modelSize());
        Native.check(Native.open(handle.address, bytes.address, content.length));
        allInputs = ports(false);
        allOutputs = ports(true);
        List<Port> free = new ArrayList<Port>();
        List<Port> results = new ArrayList<Port>(allOutputs);
        for (Port port : allInputs) {
            if (port.state == 0) free.add(port);
            else results.remove(allOutputs.get(port.state - 1));
        }
        inputs = Collections.unmodifiableList(free);
        outputs = Collections.unmodifiableList(results);
        List<String> names = new ArrayList<String>();
        for (String label; (label = Native.text(Native.label(handle.address, names.size()))) != null; ) {
            names.add(label);
        }
        labels = Collections.unmodifiableList(names);
        isStreaming = Native.isStreaming(handle.address);
        soundRate = Native.soundRate(handle.address);
        sensorRate = Native.sensorRate(handle.address);
    }

    /** A model of the bytes of an .ernn file. */
    public static Model fromBytes(byte[] content) {
        return new Model(content);
    }

    /** A model of all that the stream has; closes the stream. */
    public static Model fromStream(InputStream stream) throws IOException {
        if (stream == null) throw new IllegalArgumentException("the stream is null");
        try {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            byte[] piece = new byte[1 << 16];
            for (int n; (n = stream.read(piece)) >= 0; ) all.write(piece, 0, n);
            return new Model(all.toByteArray());
        } finally {
            stream.close();
        }
    }

    /** A model of the app's assets; compressed or not. */
    public static Model fromAsset(android.content.Context context, String name) throws IOException {
        if (context == null) throw new IllegalArgumentException("the context is null");
        return fromStream(context.getAssets().open(name));
    }

    /** A session at the beginning of a sequence. */
    public Session session() {
        return session(256);
    }

    /** maxSteps: the longest sequence of a model that needs it whole. */
    public Session session(int maxSteps) {
        return new Session(this, maxSteps);
    }

    /** Listens to sound, or sensors, of sampleRate samples a second, with the decisions of the defaults. */
    public Listener listener(int sampleRate, Listener.OnLabel onLabel) {
        return listener(sampleRate, onLabel, 0.8f, 3, 1f);
    }

    /**
     * threshold: of the mean score, 0 to 1. smooth: how many scores the mean is of. pauseSeconds:
     * until the same label can come again.
     */
    public Listener listener(
            int sampleRate, Listener.OnLabel onLabel, float threshold, int smooth, float pauseSeconds) {
        return new Listener(this, sampleRate, onLabel, threshold, smooth, pauseSeconds, null);
    }

    /** everySeconds: between two scores of sound, else 0.1. A model of sensors refuses it: its file says how often. */
    public Listener listener(
            int sampleRate, Listener.OnLabel onLabel,
            float threshold, int smooth, float pauseSeconds, float everySeconds) {
        return new Listener(this, sampleRate, onLabel, threshold, smooth, pauseSeconds, everySeconds);
    }

    /** Ends the use of the model; its sessions and listeners throw from now on. */
    @Override
    public void close() {
        closed = true; // the memory goes when nothing holds it: no call can meet freed memory
    }

    long address() {
        if (closed) throw new ErnnException("the model is closed: load it again", 0);
        return handle.address;
    }

    private List<Port> ports(boolean outputs) {
        List<Port> ports = new ArrayList<Port>();
        int[] facts = new int[5];
        for (int i = 0; i < Native.count(handle.address, outputs); i++) {
            Native.check(Native.port(handle.address, outputs, i, facts));
            ports.add(new Port(Native.text(Native.portName(handle.address, outputs, i)), i, facts));
        }
        return ports;
    }
}
