import AVFoundation
import SwiftUI

@main
struct ListenApp: App {
    var body: some Scene {
        WindowGroup { ListenView() }
    }
}

struct ListenView: View {
    @State private var label = "–"
    @State private var problem = ""
    @State private var listening: Task<Void, Never>?

    var body: some View {
        VStack(spacing: 24) {
            Text(label).font(.system(size: 64, weight: .bold))
            Button(listening == nil ? "Listen" : "Stop") { toggle() }.buttonStyle(.borderedProminent)
            Text(problem).foregroundStyle(.red)
        }
        .padding()
    }

    private func toggle() {
        if let running = listening {
            running.cancel() // ends the stream, which stops the engine
            listening = nil
            return
        }
        problem = ""
        listening = Task { @MainActor in
            do {
                guard await AVCaptureDevice.requestAccess(for: .audio) else {
                    problem = "Allow the microphone in Settings."
                    listening = nil
                    return
                }
                for try await heard in words() { label = heard.label }
            } catch {
                problem = "\(error)"
            }
            listening = nil
        }
    }
}
