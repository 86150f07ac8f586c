package dev.edgernn;

import java.util.concurrent.atomic.AtomicBoolean;

/** Labels of one stream of sound or of sensors: front end, model, decisions. It serves one thread at a time. */
public final class Listener {
    /** Gets each label as it is decided, in the thread that feeds. */
    public interface OnLabel {
        /** seconds: of the stream, at the end of what the label was decided from. */
        void onLabel(String label, float score, double seconds);
    }

    private static final int PIECE = 4096; // numbers that are copied at once
    private static final float EVERY = 0.1f; // seconds

    private final Model model;
    private final OnLabel onLabel;
    private final Native.Memory arena;
    private final int width; // numbers in a sample: 1 of sound, the channels of sensors
    private final int piece;
    private final Native.Memory pcm;
    private final long listener;
    private final double[] heard = new double[3];
    private final AtomicBoolean busy = new AtomicBoolean();

    /** givenEvery: null where the caller leaves it out. */
    Listener(Model model, int rate, OnLabel onLabel, float threshold, int smooth, float pause, Float givenEvery) {
        if (onLabel == null) throw new IllegalArgumentException("onLabel is null: nothing would hear the labels");
        boolean hears = model.soundRate > 0 || model.sensorRate > 0; // else the library says what the model lacks
        if (hears && rate < 1) throw new IllegalArgumentException("the sample rate must be at least 1, not " + rate);
        if (model.sensorRate > 0 && rate != model.sensorRate) {
            throw new IllegalArgumentException(
                    "the model's sensors give " + model.sensorRate + " samples a second, not " + rate);
        }
        if (model.sensorRate > 0 && givenEvery != null) {
            throw new IllegalArgumentException(
                    "a model of sensors answers as often as its file says: leave out everySeconds");
        }
        float every = givenEvery == null ? EVERY : givenEvery;
        this.model = model;
        this.onLabel = onLabel;
        long address = model.address();
        width = model.sensorRate > 0 ? Native.sensorWidth(address) : 1;
        piece = Math.max(1, PIECE / width) * width;
        pcm = new Native.Memory(4L * piece);
        long size = Native.checked(Native.listenerSize(address, rate, threshold, smooth, pause, every));
        arena = new Native.Memory(size);
        listener = arena.address + Native.checked(
                Native.listenerInit(address, rate, threshold, smooth, pause, every, arena.address, size));
    }

    /** 16-bit samples of one channel, as AudioRecord gives them: the first `count` of pcm. */
    public void feed(short[] pcm, int count) {
        feed(pcm, pcm == null ? 0 : pcm.length, count, false);
    }

    /** Sound: samples in -1 to 1. Sensors: one sample's channels after the other's, `count` numbers in all. */
    public void feed(float[] pcm, int count) {
        feed(pcm, pcm == null ? 0 : pcm.length, count, true);
    }

    /** Reports the answer for all samples so far to OnLabel, whatever the threshold. */
    public void whole() {
        enter();
        try {
            Native.check(Native.whole(listener, heard));
            report();
        } finally {
            busy.set(false);
        }
    }

    /** The next sample is the first of a stream. */
    public void reset() {
        enter();
        try {
            Native.check(Native.listenerReset(listener));
        } finally {
            busy.set(false);
        }
    }

    private void feed(Object samples, int length, int count, boolean floats) {
        if (samples == null) throw new IllegalArgumentException("the samples are null");
        if (count < 0 || count > length) {
            throw new IllegalArgumentException("count is " + count + ", the array holds " + length + " numbers");
        }
        if (model.sensorRate > 0 && (!floats || count % width != 0)) {
            throw new IllegalArgumentException("samples of sensors are float[], " + width + " numbers each, not "
                    + (floats ? count + " numbers" : "short[]"));
        }
        enter();
        try {
            for (int from = 0; from < count; from += piece) {
                int n = Math.min(piece, count - from);
                pcm.buffer.clear();
                if (floats) pcm.buffer.asFloatBuffer().put((float[]) samples, from, n);
                else pcm.buffer.asShortBuffer().put((short[]) samples, from, n);
                feedPiece(n / width, floats);
            }
        } finally {
            busy.set(false);
        }
    }

    private void feedPiece(int count, boolean floats) {
        for (int at = 0; at < count; ) {
            long place = pcm.address + (long) at * width * (floats ? 4 : 2);
            int used = Native.feed(listener, place, count - at, floats, heard);
            if (used < 0) {
                used = -used - 1;
                report();
            } else if (used < count - at) {
                Native.check(Native.listenerStatus(listener));
            }
            at += used;
        }
    }

    private void report() {
        int index = (int) heard[1];
        String label = index < model.labels.size() ? model.labels.get(index) : "class " + index;
        onLabel.onLabel(label, (float) heard[2], heard[0]);
    }

    private void enter() {
        model.address(); // throws where it is closed
        if (!busy.compareAndSet(false, true)) {
            throw new ErnnException("the listener is in use by another thread: give each one its own", 0);
        }
    }
}
