@file:JvmName("Ernn")

package dev.edgernn

/** A label that was heard. seconds: of the stream, at the end of what the label was decided from. */
data class Heard(val label: String, val score: Float, val seconds: Double)

/** When scores become a label; see [Model.listener]. everySeconds: null for sensors; of sound, null is 0.1. */
data class Deciding(
    val threshold: Float = 0.8f,
    val smooth: Int = 3,
    val pauseSeconds: Float = 1f,
    val everySeconds: Float? = null,
)

/** A listener with named settings: `model.listener(48000, Deciding(threshold = 0.9f)) { show(it.label) }` */
fun Model.listener(sampleRate: Int, deciding: Deciding, onHeard: (Heard) -> Unit): Listener {
    val onLabel = Listener.OnLabel { label, score, seconds -> onHeard(Heard(label, score, seconds)) }
    val (threshold, smooth, pause, every) = deciding
    return if (every == null) listener(sampleRate, onLabel, threshold, smooth, pause)
    else listener(sampleRate, onLabel, threshold, smooth, pause, every)
}

/**
 * The labels of pieces of 16-bit sound, as they are decided. It is lazy: a piece is taken when the label
 * after it is asked for, so in a coroutine `model.heard(48000, pieces).asFlow().flowOn(Dispatchers.IO)` is
 * a Flow.
 */
fun Model.heard(sampleRate: Int, sound: Sequence<ShortArray>, deciding: Deciding = Deciding()): Sequence<Heard> =
    labels(sampleRate, sound, deciding) { feed(it, it.size) }

/**
 * The labels of pieces of sensors' samples, lazy as those of sound. A piece holds whole samples, one sample's
 * channels after the other's; the rate is the model's.
 */
fun Model.heard(samples: Sequence<FloatArray>, deciding: Deciding = Deciding()): Sequence<Heard> =
    labels(sensorRate, samples, deciding) { feed(it, it.size) }

private fun <T> Model.labels(rate: Int, pieces: Sequence<T>, deciding: Deciding, feed: Listener.(T) -> Unit) =
    sequence {
        val found = ArrayDeque<Heard>()
        val listener = listener(rate, deciding) { found.add(it) }
        for (piece in pieces) {
            listener.feed(piece)
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
