// swift-tools-version:5.5
import PackageDescription

let package = Package(
    name: "@TYPE@",
    platforms: [.iOS(.v12), .macOS(.v11), .tvOS(.v12), .watchOS(.v5)],
    products: [.library(name: "@TYPE@", targets: ["@TYPE@"])],
    targets: [
        .target(name: "CErnn", path: "Sources/CErnn", cSettings: [@DEFINES@]),
        .target(
            name: "@TYPE@",
            dependencies: ["CErnn"],
            path: "Sources/@TYPE@",
            resources: [.copy("@MODEL@.ernn"), .copy("PrivacyInfo.xcprivacy")]
        ),
    ]
)
