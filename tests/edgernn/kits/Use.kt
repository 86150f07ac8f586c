import dev.edgernn.*
import java.io.File

/** Words: arrays MODEL X Y | listen MODEL PCM RATE PIECE | sensors MODEL SAMPLES. */
fun main(words: Array<String>) {
    val bytes = File(words[1]).readBytes()
    withModel(bytes) { model ->
        val content = java.nio.ByteBuffer.wrap(File(words[2]).readBytes()).order(java.nio.ByteOrder.nativeOrder())
        if (words[0] == "arrays") {
            val width = model.inputs[0].width
            val numbers = content.asFloatBuffer()
            val rows = generateSequence { if (numbers.hasRemaining()) FloatArray(width).also { numbers.get(it) } else null }
            val out = java.nio.ByteBuffer.allocate(4 * 10_000).order(java.nio.ByteOrder.nativeOrder())
            for (answer in model.steps(rows)) answer.forEach { out.putFloat(it) }
            File(words[3]).writeBytes(out.array().copyOf(out.position()))
        } else if (words[0] == "sensors") {
            val samples = FloatArray(content.capacity() / 4).also { content.asFloatBuffer().get(it) }
            val pieces = samples.asSequence().chunked(21).map { it.toFloatArray() }
            val deciding = Deciding(threshold = 0.2f, smooth = 1, pauseSeconds = 0.1f)
            for (one in model.heard(pieces, deciding)) println("${one.seconds} ${one.label} ${one.score}")
            try {
                model.heard(pieces, deciding.copy(everySeconds = 0.5f)).first()
            } catch (error: IllegalArgumentException) {
                println(error.message)
            }
        } else {
            val pcm = ShortArray(content.capacity() / 2).also { content.asShortBuffer().get(it) }
            val pieces = pcm.asSequence().chunked(words[4].toInt()).map { it.toShortArray() }
            val deciding = Deciding(threshold = 0.25f, pauseSeconds = 0.4f, everySeconds = 0.05f)
            for (heard in model.heard(words[3].toInt(), pieces, deciding)) println("${heard.seconds} ${heard.label}")
        }
    }
}
