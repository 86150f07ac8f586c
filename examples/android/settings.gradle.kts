pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        maven { url = uri("app/libs/maven") } // what `edgernn package --for android` wrote
    }
}

rootProject.name = "listen"
include(":app")
