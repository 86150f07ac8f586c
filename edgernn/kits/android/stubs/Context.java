package android.content;

/** What Model needs of Android, to compile without its SDK. It does not go into the AAR. */
public abstract class Context {
    public abstract android.content.res.AssetManager getAssets();
}
