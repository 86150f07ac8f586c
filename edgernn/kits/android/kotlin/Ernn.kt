@file:JvmName("Ernn")

package dev.edgernn

/** A label that was heard. seconds: of the stream, at the end of what the label was decided from. */
data class Heard(val label: String, val score: Float, val seconds: Double)

/** When scores become a label; see [Model.listener]. */
data class Deciding(
    val threshold: Float = 0.8f,
    val smooth: Int = 3,
    val pauseSeconds: Float = 1f,
    val everySeconds: Float = 0.1f,
)

/** A listener with named settings: `model.listener(48000, Deciding(threshold = 0.9f)) { show(it.label) }` */
fun Model.listener(sampleRate: Int, deciding: Deciding, onHeard: (Heard) -> Unit): Listener =
    listener(
        sampleRate,
        { label, score, seconds -> onHeard(Heard(label, score, seconds)) },
        deciding.threshold, deciding.smooth, deciding.pauseSeconds, deciding.everySeconds,
    )

/**
 * The labels of pieces of 16-bit sound, as they are decided. It is lazy: a piece is taken when the label
 * after it is asked for, so in a coroutine `model.heard(48000, pieces).asFlow().flowOn(Dispatchers.IO)` is
 * a Flow.
 */
fun Model.heard(sampleRate: Int, sound: Sequence<ShortArray>, deciding: Deciding = Deciding()): Sequence<Heard> =
    sequence {
        val found = ArrayDeque<Heard>()
        val listener = listener(sampleRate, deciding) { found.add(it) }
        for (piece in sound) {
            listener.feed(piece, piece.size)
            while (found.isNotEmpty()) yield(found.removeFirst())
        }
    }

/**
 * Answers of a model with one input and one output, row by row: states are kept between rows. A row whose
 * step has no result gives none.
 */
fun Model.steps(rows: Sequence<FloatArray>): Sequence<FloatArray> =
    sequence {
        val session = session()
        for (row in rows) session.step(row)?.let { yield(it) }
    }

/** The model of these bytes for the length of `block`; closed after it, whatever happens. */
inline fun <R> withModel(bytes: ByteArray, block: (Model) -> R): R {
    val model = Model.fromBytes(bytes)
    try {
        return block(model)
    } finally {
        model.close()
    }
}
