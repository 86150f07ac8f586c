import CErnn
import Foundation

/// A file that cannot be used, a size that does not fit, sound that cannot be heard.
public struct ErnnError: Error, CustomStringConvertible {
    public let description: String
    /// ernn_status of ernn.h; 0 where the library was not asked.
    public let status: UInt32

    init(_ description: String) {
        self.description = description
        status = 0
    }

    init(_ status: ernn_status) {
        description = String(cString: ernn_status_text(status))
        self.status = UInt32(status.rawValue)
    }

    static func check(_ status: ernn_status) throws {
        if status != ERNN_OK { throw ErnnError(status) }
    }
}

/// Memory at a multiple of 64, which neither `Data` nor arrays promise.
final class Aligned {
    let pointer: UnsafeMutableRawPointer
    let size: Int

    init(_ size: Int) {
        self.size = size
        pointer = UnsafeMutableRawPointer.allocate(byteCount: max(size, 1), alignment: Int(ERNN_ALIGNMENT))
    }

    deinit { pointer.deallocate() }
}

/// What a model takes or gives: rows of `width` elements.
public struct Port {
    public let name: String
    /// 0: float32, 1: int32, 2: bool
    public let type: UInt32
    public let isSequence: Bool
    /// Of a sequence: the fixed number of steps, or 0 when any number will do.
    public let steps: Int
    public let width: Int
    let state: Int
    let index: Int

    init(_ port: ernn_port, index: Int) {
        name = String(cString: port.name)
        type = UInt32(port.dtype.rawValue)
        isSequence = port.is_sequence != 0
        steps = Int(port.steps)
        width = Int(port.width)
        state = Int(port.state)
        self.index = index
    }
}

/// An .ernn model. Threads may share it; each needs a session or listener of its own.
///
///     let model = try Model()                            // the package's own; or Model(contentsOf: url)
///     let listener = try model.listener(sampleRate: 48_000)
///     try listener.feed(buffer) { heard in print(heard.label) }
public final class Model {
    public let labels: [String]
    /// Those that callers give and get: no states.
    public let inputs: [Port]
    public let outputs: [Port]
    /// Whether `Session.step` works: no layer looks ahead.
    public let isStreaming: Bool
    /// Of its recipe for sound; 0 where the model takes no sound.
    public let sampleRate: Int
    /// Of its recipe for sensors; 0 where the model takes none.
    public let sensorRate: Int

    let handle = UnsafeMutablePointer<ernn_model>.allocate(capacity: 1)
    let inputCount: Int
    let outputCount: Int
    private let bytes: Aligned

    /// The bytes are copied once, to where the library can use them in place.
    public init(_ data: Data) throws {
        bytes = Aligned(data.count)
        data.copyBytes(to: bytes.pointer.assumingMemoryBound(to: UInt8.self), count: data.count)
        let status = ernn_open(handle, bytes.pointer, data.count)
        if status != ERNN_OK {
            handle.deallocate()
            throw ErnnError(status)
        }
        inputCount = Int(ernn_input_count(handle))
        outputCount = Int(ernn_output_count(handle))
        var port = ernn_port()
        var given: [Port] = []
        var results: [Port] = []
        var states = Set<Int>()
        for index in 0..<inputCount where ernn_input(handle, UInt32(index), &port) == ERNN_OK {
            if port.state == 0 { given.append(Port(port, index: index)) }
            else { states.insert(Int(port.state) - 1) }
        }
        for index in 0..<outputCount where !states.contains(index) {
            if ernn_output(handle, UInt32(index), &port) == ERNN_OK { results.append(Port(port, index: index)) }
        }
        inputs = given
        outputs = results
        var names: [String] = []
        while let label = ernn_label(handle, UInt32(names.count)) { names.append(String(cString: label)) }
        labels = names
        isStreaming = ernn_is_streaming(handle) != 0
        sampleRate = Int(ernn_audio_rate(handle))
        sensorRate = Int(ernn_sensor_rate(handle))
    }

    public convenience init(contentsOf url: URL) throws {
        try self.init(Data(contentsOf: url))
    }

    /// The model of this package.
    public convenience init() throws {
        #if SWIFT_PACKAGE
        let bundle = Bundle.module
        #else
        let outer = Bundle(for: Model.self)
        let bundle = outer.url(forResource: "@TYPE@", withExtension: "bundle").flatMap(Bundle.init(url:)) ?? outer
        #endif
        guard let url = bundle.url(forResource: "@MODEL@", withExtension: "ernn") else {
            throw ErnnError("@MODEL@.ernn is not in the app: add the package's resources to it")
        }
        try self.init(contentsOf: url)
    }

    deinit { handle.deallocate() }

    /// maxSteps: the longest sequence of a model that needs it whole.
    public func session(maxSteps: Int = 256) throws -> Session {
        try Session(self, maxSteps: maxSteps)
    }

    /// sampleRate: of the sound, at least the model's; of sensors, the model's `sensorRate`.
    public func listener(sampleRate: Int, deciding: Deciding = Deciding()) throws -> Listener {
        try Listener(self, sampleRate: sampleRate, deciding: deciding)
    }
}
