import CErnn
import Foundation

/// When scores become a label.
public struct Deciding {
    public var threshold: Float = 0.8 // of the mean score
    public var smooth = 3 // how many scores the mean is of
    public var pause: Float = 1 // seconds until the same label can come again
    public var every: Float? // seconds between two scores of sound, else 0.1; sensors: as the file says
    public init() {}
}

/// A label, and the time of the stream at the end of what it was decided from.
public struct Heard {
    public let label: String
    public let score: Float
    public let seconds: Double
}

/// Labels of one stream of sound or of sensors: front end, model, decisions. It serves one thread at a time.
public final class Listener {
    private let model: Model // holds the bytes
    private let width: Int // numbers in a sample: 1 of sound, the channels of sensors
    private let arena: Aligned
    private let listener: OpaquePointer
    private let lock = NSLock()

    init(_ model: Model, sampleRate: Int, deciding: Deciding) throws {
        guard model.sampleRate > 0 || model.sensorRate > 0 else { throw ErnnError(ERNN_NO_FRONT_END) }
        guard sampleRate > 0, let rate = UInt32(exactly: sampleRate), let smooth = UInt32(exactly: deciding.smooth)
        else { throw ErnnError("the sample rate must be at least 1, and smooth too") }
        guard model.sensorRate == 0 || sampleRate == model.sensorRate
        else { throw ErnnError("the model's sensors give \(model.sensorRate) samples a second, not \(sampleRate)") }
        guard model.sensorRate == 0 || deciding.every == nil
        else { throw ErnnError("a model of sensors answers as often as its file says: leave out every") }
        self.model = model
        var port = ernn_port()
        if model.sensorRate > 0 {
            try ErnnError.check(ernn_input(model.handle, ernn_sensor_input(model.handle), &port))
        }
        width = model.sensorRate > 0 ? Int(port.width) : 1
        var options = ernn_listening(
            threshold: deciding.threshold, smooth: smooth, pause_s: deciding.pause, every_s: deciding.every ?? 0.1)
        var size = 0
        try ErnnError.check(ernn_listener_size(model.handle, rate, &options, &size))
        arena = Aligned(size)
        var made: OpaquePointer?
        try ErnnError.check(ernn_listener_init(&made, model.handle, rate, &options, arena.pointer, size))
        guard let made = made else { throw ErnnError("the library made no listener") }
        listener = made
    }

    /// Sound: samples in -1 to 1 of one channel, any number. Sensors: one sample's channels after the other's.
    /// `heard` gets each label as it is decided.
    public func feed(_ samples: UnsafeBufferPointer<Float>, _ heard: (Heard) -> Void) throws {
        try enter()
        defer { lock.unlock() }
        guard var place = samples.baseAddress else { return }
        guard samples.count % width == 0
        else { throw ErnnError("samples of sensors have \(width) numbers each, not \(samples.count) in all") }
        var left = samples.count / width
        while left > 0 {
            var found = ernn_heard()
            var decided: Int32 = 0
            let used = ernn_listener_feed_f32(listener, place, left, &found, &decided)
            if decided != 0 { heard(named(found)) }
            else if used < left { throw ErnnError(ernn_listener_status(listener)) }
            place += used * width
            left -= used
        }
    }

    public func feed(_ samples: [Float], _ heard: (Heard) -> Void) throws {
        try samples.withUnsafeBufferPointer { try feed($0, heard) }
    }

    /// The answer for all samples so far.
    public func whole() throws -> Heard {
        try enter()
        defer { lock.unlock() }
        var found = ernn_heard()
        try ErnnError.check(ernn_listener_whole(listener, &found))
        return named(found)
    }

    /// The next sample is the first of a stream.
    public func reset() throws {
        try enter()
        defer { lock.unlock() }
        try ErnnError.check(ernn_listener_reset(listener))
    }

    private func enter() throws {
        guard lock.try() else { throw ErnnError("the listener is in use by another thread: give each one its own") }
    }

    private func named(_ found: ernn_heard) -> Heard {
        let index = Int(found.label)
        let label = index < model.labels.count ? model.labels[index] : "class \(index)"
        return Heard(label: label, score: found.score, seconds: found.seconds)
    }
}
