package dev.edgernn;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;

/** The C library. Its methods check nothing: {@link Model} and its sessions do. */
final class Native {
    static {
        System.loadLibrary("edgernn");
    }

    private static final Charset UTF_8 = Charset.forName("UTF-8");
    private static final int ALIGNMENT = 64;

    private Native() {}

    /** Memory at a multiple of 64; the buffer must be held as long as it is used. */
    static final class Memory {
        final ByteBuffer buffer;
        final long address;

        Memory(long size) {
            if (size > Integer.MAX_VALUE - ALIGNMENT) {
                throw new ErnnException("the model needs " + size + " bytes of memory", 0);
            }
            ByteBuffer room = ByteBuffer.allocateDirect((int) size + ALIGNMENT);
            int shift = (int) ((ALIGNMENT - Native.address(room) % ALIGNMENT) % ALIGNMENT);
            room.position(shift);
            room.limit(shift + (int) size);
            buffer = room.slice().order(ByteOrder.nativeOrder());
            address = Native.address(buffer);
        }
    }

    static void check(int status) {
        if (status != 0) throw new ErnnException(statusText(status), status);
    }

    /** A size or an address that is minus a status where it failed. */
    static long checked(long value) {
        if (value < 0) check((int) -value);
        return value;
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, UTF_8);
    }

    static native long address(ByteBuffer buffer);

    static native String statusText(int status);

    static native int modelSize();

    static native int open(long model, long bytes, long size);

    static native int count(long model, boolean outputs);

    static native int port(long model, boolean outputs, int index, int[] facts);

    static native byte[] portName(long model, boolean outputs, int index);

    static native byte[] label(long model, int index);

    static native boolean isStreaming(long model);

    static native int soundRate(long model);

    static native int sensorRate(long model);

    static native int sensorWidth(long model);

    static native long sessionSize(long model, int maxSteps);

    static native long sessionInit(long model, int maxSteps, long arena, long size);

    static native int reset(long session);

    /** ERNN_NO_RESULT of ernn.h. */
    static final int NO_RESULT = 27;

    static native int step(long session, long[] inputs, long[] outputs, long memory);

    static native int run(
            long session, long[] inputs, long[] outputs, int[] steps, long memory, boolean run);

    static native byte[] refusingLayer(long session);

    static native long listenerSize(
            long model, int rate, float threshold, int smooth, float pause, float every);

    static native long listenerInit(
            long model, int rate, float threshold, int smooth, float pause, float every,
            long arena, long size);

    static native int feed(long listener, long pcm, int count, boolean floats, double[] heard);

    static native int listenerStatus(long listener);

    static native int whole(long listener, double[] heard);

    static native int listenerReset(long listener);
}
