import AVFoundation
import Words

/// The words that the microphone hears. The audio thread feeds; whoever iterates gets the labels.
func words() -> AsyncThrowingStream<Heard, Error> {
    AsyncThrowingStream { continuation in
        do {
            #if os(iOS)
            let session = AVAudioSession.sharedInstance()
            try session.setCategory(.record, mode: .measurement)
            try session.setActive(true)
            #endif
            let engine = AVAudioEngine()
            let format = engine.inputNode.outputFormat(forBus: 0)
            let listener = try Model().listener(sampleRate: Int(format.sampleRate))
            engine.inputNode.installTap(onBus: 0, bufferSize: 4800, format: format) { buffer, _ in
                guard let channels = buffer.floatChannelData else { return }
                let samples = UnsafeBufferPointer(start: channels[0], count: Int(buffer.frameLength))
                do {
                    try listener.feed(samples) { heard in continuation.yield(heard) }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            try engine.start()
            continuation.onTermination = { _ in
                engine.inputNode.removeTap(onBus: 0)
                engine.stop()
            }
        } catch {
            continuation.finish(throwing: error)
        }
    }
}
