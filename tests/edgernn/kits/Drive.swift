import Dispatch
import Foundation
import Words

/// Drives the Swift API for test_swift.py: Drive COMMAND ARGUMENTS.
let words = CommandLine.arguments

func data(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

func numbers<Element>(_ path: String, _: Element.Type) throws -> [Element] {
    try data(path).withUnsafeBytes { Array($0.bindMemory(to: Element.self)) }
}

func write(_ values: [Float], _ path: String) throws {
    try values.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: path))
}

/// The rows of a run, then those of single steps.
func arrays(_ model: Model, _ input: String, _ output: String) throws {
    let x = try numbers(input, Float.self)
    let session = try model.session()
    var all = try session.run(x)
    try session.reset()
    let width = model.inputs[0].width
    for at in stride(from: 0, to: x.count, by: width) { all += try session.step(Array(x[at..<at + width])) }
    try write(all, output)
}

/// The length of what each step gives; a run of one row must give the same.
func rhythm(_ model: Model, _ input: String) throws {
    let x = try numbers(input, Float.self)
    let session = try model.session()
    let other = try model.session()
    let width = model.inputs[0].width
    for at in stride(from: 0, to: x.count, by: width) {
        let row = Array(x[at..<at + width])
        let answer = try session.step(row)
        print(answer.count)
        if try other.run(row) != answer { print("a run gives other numbers") }
    }
}

func listen(_ path: String, _ rate: Int, _ piece: Int, _ deciding: [Float]) throws {
    var options = Deciding()
    options.threshold = deciding[0]
    options.smooth = Int(deciding[1])
    options.pause = deciding[2]
    options.every = deciding[3]
    let listener = try Model().listener(sampleRate: rate, deciding: options) // the package's own model
    let pcm = try numbers(path, Int16.self).map { Float($0) / 32768 }
    for at in stride(from: 0, to: pcm.count, by: piece) {
        try listener.feed(Array(pcm[at..<min(at + piece, pcm.count)])) { print($0.seconds, $0.label, $0.score) }
    }
    let whole = try listener.whole()
    print(whole.seconds, whole.label, whole.score)
}

func show(_ name: String, _ act: () throws -> Void) {
    do {
        try act()
        print("\(name): no error")
    } catch { print("\(name): \(error)") }
}

func errors(_ path: String, _ ofArrays: String) throws {
    let content = try data(path)
    let model = try Model(content)
    let width = model.inputs[0].width
    let session = try model.session()
    let listener = try model.listener(sampleRate: 8000)
    show("other file") { _ = try Model(Data(count: 300)) }
    show("no bytes") { _ = try Model(Data()) }
    show("bytes at an odd address") {
        let moved = Data([0]) + content
        let one = try Model(moved[1...])
        if one.labels != model.labels { print("other labels") }
    }
    show("half a row") { _ = try session.run([Float](repeating: 0, count: width + 1)) }
    show("no rows") { _ = try session.run([]) }
    show("two rows") { _ = try session.step([Float](repeating: 0, count: 2 * width)) }
    show("no steps") { _ = try model.session(maxSteps: 0) }
    show("low rate") { _ = try model.listener(sampleRate: 4000) }
    let deaf = try Model(data(ofArrays))
    show("no recipe") { _ = try deaf.listener(sampleRate: 0) }
    show("no rate") { _ = try model.listener(sampleRate: 0) }
    show("too loud") { try listener.feed([0, 3000]) { _ in } }
    var all = Deciding()
    all.threshold = 0
    all.smooth = 1
    all.pause = 0
    all.every = 0.01
    let shared = try model.listener(sampleRate: 8000, deciding: all)
    var isShown = false
    try shared.feed([Float](repeating: 0, count: 8000)) { _ in
        if isShown { return }
        isShown = true
        DispatchQueue(label: "another thread").sync {
            show("in use") { try shared.feed([0]) { _ in } }
            show("an answer in use") { _ = try shared.whole() }
            show("a reset in use") { try shared.reset() }
        }
    }
}

/// Labels of samples of three sensors, in pieces and at once, then what is said to what fits no sensors.
func sensors(_ model: Model, _ input: String) throws {
    let samples = try numbers(input, Float.self)
    var deciding = Deciding()
    deciding.threshold = 0.2
    deciding.smooth = 1
    deciding.pause = 0.1
    let listener = try model.listener(sampleRate: model.sensorRate, deciding: deciding)
    func tell(_ one: Heard) { print(one.seconds, one.label, one.score) }
    for at in stride(from: 0, to: samples.count, by: 21) {
        try listener.feed(Array(samples[at..<min(at + 21, samples.count)]), tell)
    }
    tell(try listener.whole())
    try listener.reset()
    try listener.feed(samples, tell)
    tell(try listener.whole())
    show("error") { _ = try model.listener(sampleRate: 49) }
    deciding.every = 0.5
    show("error") { _ = try model.listener(sampleRate: 50, deciding: deciding) }
    show("error") { try listener.feed([0, 0, 0, 0], tell) }
}

switch words[1] {
case "arrays": try arrays(Model(contentsOf: URL(fileURLWithPath: words[2])), words[3], words[4])
case "rhythm": try rhythm(Model(contentsOf: URL(fileURLWithPath: words[2])), words[3])
case "listen": try listen(words[2], Int(words[3])!, Int(words[4])!, words[5...].map { Float($0)! })
case "sensors":
    let model = try Model(contentsOf: URL(fileURLWithPath: words[2]))
    try sensors(model, words[3])
default: try errors(words[2], words[3])
}
