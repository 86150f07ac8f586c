import CErnn
import Foundation

/// One sequence of a model with one input and one output of float32. It serves one thread at a time.
public final class Session {
    private let model: Model // holds the bytes
    private let arena: Aligned
    private let session: OpaquePointer
    private let input: Port
    private let output: Port
    private let lock = NSLock()

    init(_ model: Model, maxSteps: Int) throws {
        guard model.inputs.count == 1, model.outputs.count == 1, model.inputs[0].type == 0, model.outputs[0].type == 0
        else { throw ErnnError("a session takes models with one input and one output of float32; use ernn.h for others") }
        guard maxSteps > 0, maxSteps <= Int(Int32.max) else { throw ErnnError("maxSteps must be at least 1, not \(maxSteps)") }
        self.model = model
        input = model.inputs[0]
        output = model.outputs[0]
        var options = ernn_options(isa: ERNN_ISA_AUTO, max_steps: UInt32(maxSteps), max_batch: 1, threads: 1)
        var size = 0
        try ErnnError.check(ernn_session_size(model.handle, &options, &size))
        arena = Aligned(size)
        var made: OpaquePointer?
        try ErnnError.check(ernn_session_init(&made, model.handle, arena.pointer, size, &options))
        guard let made = made else { throw ErnnError("the library made no session") }
        session = made
    }

    /// One row gives one row, which is empty where this step has no result.
    public func step(_ row: [Float]) throws -> [Float] {
        guard row.count == input.width else {
            throw ErnnError("input \(input.name) of a step needs \(input.width) elements, not \(row.count)")
        }
        try enter()
        defer { lock.unlock() }
        var result = [Float](repeating: 0, count: output.width)
        var inputs = [UnsafeRawPointer?](repeating: nil, count: model.inputCount)
        var outputs = [UnsafeMutableRawPointer?](repeating: nil, count: model.outputCount)
        let status: ernn_status = row.withUnsafeBytes { given in
            result.withUnsafeMutableBytes { room in
                inputs[input.index] = given.baseAddress
                outputs[output.index] = room.baseAddress
                return ernn_step(session, inputs, outputs)
            }
        }
        if status == ERNN_NO_RESULT { return [] }
        try ErnnError.check(status)
        return result
    }

    /// Rows of a sequence, after those of the last call; see `reset`.  Empty where no step has a result.
    public func run(_ rows: [Float]) throws -> [Float] {
        guard !rows.isEmpty, rows.count % input.width == 0 else {
            throw ErnnError("input \(input.name) needs a multiple of \(input.width) elements, not \(rows.count)")
        }
        try enter()
        defer { lock.unlock() }
        var given = rows
        var inputs = [ernn_rows](repeating: ernn_rows(data: nil, steps: 1), count: model.inputCount)
        var outputs = [ernn_rows](repeating: ernn_rows(data: nil, steps: 0), count: model.outputCount)
        inputs[input.index].steps = UInt32(rows.count / input.width)
        try ErnnError.check(ernn_output_steps(session, inputs, &outputs))
        var result = [Float](repeating: 0, count: Int(outputs[output.index].steps) * output.width)
        let status: ernn_status = given.withUnsafeMutableBytes { from in
            result.withUnsafeMutableBytes { room in
                inputs[input.index].data = from.baseAddress
                outputs[output.index].data = room.baseAddress
                return ernn_run(session, inputs, &outputs)
            }
        }
        if status == ERNN_NO_RESULT { return [] }
        try ErnnError.check(status)
        return result
    }

    /// The next step is the first of a new sequence.
    public func reset() throws {
        try enter()
        defer { lock.unlock() }
        try ErnnError.check(ernn_reset(session))
    }

    private func enter() throws {
        guard lock.try() else { throw ErnnError("the session is in use by another thread: give each one its own") }
    }
}
