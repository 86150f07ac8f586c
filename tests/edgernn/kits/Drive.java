import dev.edgernn.ErnnException;
import dev.edgernn.Listener;
import dev.edgernn.Model;
import dev.edgernn.Session;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;

/** Drives the Java API for test_for_android.py: Drive COMMAND MODEL ARGUMENTS. */
public final class Drive {
    interface Act {
        void run() throws Exception;
    }

    public static void main(String[] words) throws Exception {
        byte[] content = Files.readAllBytes(Paths.get(words[1]));
        if (words[0].equals("arrays")) arrays(content, Paths.get(words[2]), Paths.get(words[3]));
        else if (words[0].equals("listen")) listen(content, words);
        else if (words[0].equals("rhythm")) rhythm(content, Paths.get(words[2]));
        else if (words[0].equals("asset")) asset(Paths.get(words[2]));
        else if (words[0].equals("sensors")) sensors(content, Paths.get(words[2]));
        else errors(content, Files.readAllBytes(Paths.get(words[2])));
    }

    private static ByteBuffer read(Path path) throws Exception {
        return ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The rows of a run, then those of single steps. */
    private static void arrays(byte[] content, Path input, Path output) throws Exception {
        Model model = Model.fromStream(new ByteArrayInputStream(content));
        ByteBuffer bytes = read(input);
        float[] x = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(x);
        int width = model.inputs.get(0).width;
        Session session = model.session();
        float[] whole = session.run(x);
        ByteBuffer all = ByteBuffer.allocate(8 * whole.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : whole) all.putFloat(value);
        session.reset();
        for (int at = 0; at < x.length; at += width) {
            for (float value : session.step(java.util.Arrays.copyOfRange(x, at, at + width))) all.putFloat(value);
        }
        Files.write(output, all.array());
    }

    /** What each step gives; a run of one row must give the same. */
    private static void rhythm(byte[] content, Path input) throws Exception {
        Model model = Model.fromBytes(content);
        Session session = model.session();
        Session other = model.session();
        ByteBuffer bytes = read(input);
        float[] row = new float[40];
        while (bytes.hasRemaining()) {
            for (int i = 0; i < row.length; i++) row[i] = bytes.getFloat();
            float[] answer = session.step(row);
            System.out.println(java.util.Arrays.toString(answer));
            if (!java.util.Arrays.equals(other.run(row), answer)) System.out.println("a run gives other numbers");
        }
    }

    private static void listen(byte[] content, String[] words) throws Exception {
        ByteBuffer bytes = read(Paths.get(words[2]));
        short[] pcm = new short[bytes.remaining() / 2];
        bytes.asShortBuffer().get(pcm);
        int piece = Integer.parseInt(words[4]);
        Listener listener = Model.fromBytes(content).listener(
                Integer.parseInt(words[3]),
                (label, score, seconds) -> System.out.println(seconds + " " + label + " " + score),
                Float.parseFloat(words[5]), Integer.parseInt(words[6]), Float.parseFloat(words[7]),
                Float.parseFloat(words[8]));
        for (int at = 0; at < pcm.length; at += piece) {
            short[] some = java.util.Arrays.copyOfRange(pcm, at, Math.min(pcm.length, at + piece));
            listener.feed(some, some.length);
        }
        listener.whole();
    }

    /** Labels of samples of three sensors, then what is said to what fits no sensors. */
    private static void sensors(byte[] content, Path input) throws Exception {
        ByteBuffer bytes = read(input);
        float[] samples = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(samples);
        Model model = Model.fromBytes(content);
        Listener listener = model.listener(
                model.sensorRate,
                (label, score, seconds) -> System.out.println(seconds + " " + label + " " + score), 0.2f, 1, 0.1f);
        for (int at = 0; at < samples.length; at += 21) {
            float[] some = java.util.Arrays.copyOfRange(samples, at, Math.min(samples.length, at + 21));
            listener.feed(some, some.length);
        }
        listener.whole();
        listener.reset();
        listener.feed(samples, samples.length);
        listener.whole();
        show("error", () -> model.listener(49, (label, score, seconds) -> {}));
        show("error", () -> model.listener(50, (label, score, seconds) -> {}, 0.2f, 1, 0.1f, 0.5f));
        show("error", () -> listener.feed(new float[4], 4));
        show("error", () -> listener.feed(new short[3], 3));
    }

    /** The model of an AAR, where it lies compressed, and one that is not there. */
    private static void asset(Path aar) throws Exception {
        try (java.util.zip.ZipFile archive = new java.util.zip.ZipFile(aar.toFile())) {
            java.util.zip.ZipEntry entry = archive.getEntry("assets/words.ernn");
            System.out.println(entry.getMethod() == java.util.zip.ZipEntry.DEFLATED ? "compressed" : "stored");
            android.content.Context context = new android.content.Context() {
                @Override
                public android.content.res.AssetManager getAssets() {
                    return new android.content.res.AssetManager() {
                        @Override
                        public InputStream open(String name) throws java.io.IOException {
                            java.util.zip.ZipEntry found = archive.getEntry("assets/" + name);
                            if (found == null) throw new java.io.FileNotFoundException(name);
                            return archive.getInputStream(found);
                        }
                    };
                }
            };
            System.out.println(Model.fromAsset(context, "words.ernn").labels);
            try {
                Model.fromAsset(context, "other.ernn");
            } catch (java.io.FileNotFoundException error) {
                System.out.println(error.getMessage());
            }
            show("null context", () -> Model.fromAsset(null, "words.ernn"));
        }
    }

    private static void errors(byte[] content, byte[] ofArrays) throws Exception {
        Model model = Model.fromBytes(content);
        Listener listener = model.listener(8000, (label, score, seconds) -> {});
        Session session = model.session();
        int width = model.inputs.get(0).width;
        show("null bytes", () -> Model.fromBytes(null));
        byte[] tflite = new byte[300];
        System.arraycopy(new byte[] {0x1c, 0, 0, 0, 'T', 'F', 'L', '3'}, 0, tflite, 0, 8);
        show("a .tflite", () -> Model.fromBytes(tflite));
        show("other file", () -> Model.fromBytes(new byte[300]));
        show("no bytes", () -> Model.fromBytes(new byte[0]));
        show("null array", () -> session.step((float[]) null));
        show("null arrays", () -> session.run((Object[]) null));
        show("other type", () -> session.run(new Object[] {new double[width]}));
        show("half a row", () -> session.run(new float[width + 1]));
        show("two rows", () -> session.step(new float[2 * width]));
        show("low rate", () -> model.listener(4000, (label, score, seconds) -> {}));
        show("no recipe", () -> Model.fromBytes(ofArrays).listener(0, (label, score, seconds) -> {}));
        show("no rate", () -> model.listener(0, (label, score, seconds) -> {}));
        show("null listener", () -> model.listener(8000, null));
        show("null sound", () -> listener.feed((short[]) null, 3));
        show("too many", () -> listener.feed(new short[3], 4));
        show("too loud", () -> listener.feed(new float[] {0, 3000}, 2));
        Listener again[] = new Listener[1];
        again[0] = model.listener(8000, (label, score, seconds) -> again[0].reset(), 0f, 1, 0f, 0.01f);
        show("in use", () -> again[0].feed(new short[8000], 8000));
        model.close();
        show("closed model", () -> session.step(new float[width]));
        show("closed session", () -> model.session());
        show("closed listener", () -> listener.feed(new short[3], 3));
    }

    private static void show(String name, Act act) throws Exception {
        try {
            act.run();
            System.out.println(name + ": no error");
        } catch (IllegalArgumentException | ErnnException error) {
            System.out.println(name + ": " + error.getMessage());
        }
    }
}
