package android.content.res;

/** What Model needs of Android, to compile without its SDK. It does not go into the AAR. */
public abstract class AssetManager {
    public abstract java.io.InputStream open(String name) throws java.io.IOException;
}
