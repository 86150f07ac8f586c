plugins {
    id("com.android.application")
}

android {
    namespace = "dev.edgernn.sample"
    compileSdk = 35
    defaultConfig {
        applicationId = "dev.edgernn.sample"
        minSdk = 21
        targetSdk = 35
        versionCode = 1
        versionName = "1"
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

dependencies {
    implementation("dev.edgernn:words:0.1.0")
}
