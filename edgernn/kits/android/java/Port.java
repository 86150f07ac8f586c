package dev.edgernn;

/** What a model takes or gives: rows of {@code width} elements. */
public final class Port {
    public final String name;
    /** float32, int32 or bool (one byte each). */
    public final String type;
    /** False: one row, whatever the number of steps. */
    public final boolean isSequence;
    /** Of a sequence: the fixed number of steps, or 0 when any number will do. */
    public final int steps;
    public final int width;

    final int index;
    final int state;
    final int elementBytes;

    Port(String name, int index, int[] facts) {
        this.name = name;
        this.index = index;
        type = new String[] {"float32", "int32", "bool"}[facts[0]];
        isSequence = facts[1] != 0;
        steps = facts[2];
        width = facts[3];
        state = facts[4];
        elementBytes = facts[0] == 2 ? 1 : 4;
    }

    /** Rows in an array of this port's type; throws for an array that does not fit. */
    int rowsOf(Object array) {
        String wanted = type.equals("float32") ? "float[]" : type.equals("int32") ? "int[]" : "byte[]";
        if (array == null || !array.getClass().getSimpleName().equals(wanted)) {
            String given = array == null ? "null" : array.getClass().getSimpleName();
            throw new IllegalArgumentException("input " + name + " needs a " + wanted + ", not " + given);
        }
        int length = java.lang.reflect.Array.getLength(array);
        int rows = length / width;
        if (rows < 1 || length % width != 0 || (!isSequence && rows != 1)) {
            String sizes = isSequence ? "a multiple of " + width : "" + width;
            throw new IllegalArgumentException(
                    "input " + name + " needs " + sizes + " elements, not " + length);
        }
        return rows;
    }
}
