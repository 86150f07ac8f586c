package dev.edgernn;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/** One sequence, step by step or in pieces. It serves one thread at a time. */
public final class Session {
    private final Model model;
    private final Native.Memory arena;
    private final long session;
    private final Native.Memory pointers;
    private final Native.Memory[] in;
    private final Native.Memory[] out;
    private final AtomicBoolean busy = new AtomicBoolean();

    Session(Model model, int maxSteps) {
        if (maxSteps < 1) throw new IllegalArgumentException("maxSteps must be at least 1, not " + maxSteps);
        this.model = model;
        long size = Native.checked(Native.sessionSize(model.address(), maxSteps));
        arena = new Native.Memory(size);
        session = arena.address
                + Native.checked(Native.sessionInit(model.address(), maxSteps, arena.address, size));
        int ports = model.allInputs.size() + model.allOutputs.size();
        pointers = new Native.Memory(16L * ports);
        in = new Native.Memory[model.allInputs.size()];
        out = new Native.Memory[model.allOutputs.size()];
    }

    /**
     * One row of each input; one row of each output, as arrays in the order of model.outputs, or null
     * where this step has no result (a convolution's first window is not full, or a stride leaves it out).
     */
    public Object[] step(Object... rows) {
        enter();
        try {
            long[] inputs = new long[in.length];
            long[] outputs = new long[out.length];
            count(rows);
            for (int i = 0; i < rows.length; i++) {
                Port port = model.inputs.get(i);
                if (port.rowsOf(rows[i]) != 1) {
                    throw new IllegalArgumentException(
                            "input " + port.name + " of a step needs " + port.width + " elements");
                }
                inputs[port.index] = put(port, rows[i], 1);
            }
            for (Port port : model.outputs) outputs[port.index] = room(out, port, 1).address;
            int status = Native.step(session, inputs, outputs, pointers.address);
            if (status == Native.NO_RESULT) return null;
            check(status);
            int[] steps = new int[in.length + out.length];
            java.util.Arrays.fill(steps, 1);
            return results(steps);
        } finally {
            busy.set(false);
        }
    }

    /** Of a model with one input and one output of float32; null where this step has no result. */
    public float[] step(float[] row) {
        Object[] results = step(new Object[] {row});
        return results == null ? null : (float[]) only(results);
    }

    /**
     * Rows of a sequence, after those of the last call; see {@link #reset}.  Null where no step has a result.
     */
    public Object[] run(Object... arrays) {
        enter();
        try {
            long[] inputs = new long[in.length];
            long[] outputs = new long[out.length];
            int[] steps = new int[in.length + out.length];
            count(arrays);
            for (Port port : model.allInputs) steps[port.index] = Math.max(1, port.steps);
            for (int i = 0; i < arrays.length; i++) {
                Port port = model.inputs.get(i);
                steps[port.index] = port.rowsOf(arrays[i]);
                inputs[port.index] = put(port, arrays[i], steps[port.index]);
            }
            check(Native.run(session, inputs, outputs, steps, pointers.address, false));
            for (Port port : model.outputs) {
                outputs[port.index] = room(out, port, steps[in.length + port.index]).address;
            }
            int status = Native.run(session, inputs, outputs, steps, pointers.address, true);
            if (status == Native.NO_RESULT) return null;
            check(status);
            return results(steps);
        } finally {
            busy.set(false);
        }
    }

    /** Of a model with one input and one output of float32; null where no step has a result. */
    public float[] run(float[] rows) {
        Object[] results = run(new Object[] {rows});
        return results == null ? null : (float[]) only(results);
    }

    /** The next step is the first of a new sequence. */
    public void reset() {
        enter();
        try {
            Native.check(Native.reset(session));
        } finally {
            busy.set(false);
        }
    }

    private void enter() {
        model.address(); // throws where it is closed
        if (!busy.compareAndSet(false, true)) {
            throw new ErnnException("the session is in use by another thread: give each one its own", 0);
        }
    }

    private void check(int status) {
        if (status == 0) return;
        String layer = Native.text(Native.refusingLayer(session));
        String text = Native.statusText(status);
        throw new ErnnException(layer == null ? text : "layer " + layer + ": " + text, status);
    }

    private void count(Object[] arrays) {
        int given = arrays == null ? 0 : arrays.length;
        if (given != model.inputs.size()) {
            throw new IllegalArgumentException(
                    "the model takes " + model.inputs.size() + " inputs, not " + given);
        }
    }

    private Object only(Object[] results) {
        if (results.length != 1 || !(results[0] instanceof float[])) {
            throw new IllegalArgumentException("the model has several outputs: give Object[]");
        }
        return results[0];
    }

    /** Memory for rows of a port, kept for the next call. */
    private static Native.Memory room(Native.Memory[] kept, Port port, int rows) {
        long size = (long) rows * port.width * port.elementBytes;
        Native.Memory there = kept[port.index];
        if (there == null || there.buffer.capacity() < size) {
            there = kept[port.index] = new Native.Memory(size);
        }
        return there;
    }

    private long put(Port port, Object array, int rows) {
        Native.Memory memory = room(in, port, rows);
        ByteBuffer buffer = memory.buffer;
        buffer.clear();
        if (array instanceof float[]) buffer.asFloatBuffer().put((float[]) array);
        else if (array instanceof int[]) buffer.asIntBuffer().put((int[]) array);
        else buffer.put((byte[]) array);
        return memory.address;
    }

    private Object[] results(int[] steps) {
        Object[] results = new Object[model.outputs.size()];
        for (int i = 0; i < results.length; i++) {
            Port port = model.outputs.get(i);
            int count = steps[in.length + port.index] * port.width;
            ByteBuffer buffer = out[port.index].buffer;
            buffer.clear();
            if (port.type.equals("float32")) buffer.asFloatBuffer().get((float[]) (results[i] = new float[count]));
            else if (port.type.equals("int32")) buffer.asIntBuffer().get((int[]) (results[i] = new int[count]));
            else buffer.get((byte[]) (results[i] = new byte[count]));
        }
        return results;
    }
}
