package dev.edgernn;

/** A file that cannot be used, a model that is closed, sound that cannot be heard. */
public final class ErnnException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** ernn_status of ernn.h; 0 where the library was not asked. */
    public final int status;

    ErnnException(String message, int status) {
        super(message);
        this.status = status;
    }
}
