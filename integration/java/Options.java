import java.io.FileInputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** What a command line says: {@code --name value} pairs, each asked for at least once, or it was mistyped. */
final class Options {
  private final Map<String, String> values = new HashMap<>();

  Options(List<String> words) {
    for (int i = 0; i < words.size(); i += 2) {
      if (!words.get(i).startsWith("--") || i + 1 == words.size()) {
        throw new IllegalArgumentException("expected --name value at: " + words.get(i));
      }
      values.put(words.get(i).substring(2), words.get(i + 1));
    }
  }

  String text(String name, String otherwise) {
    String value = values.remove(name);
    return value == null ? otherwise : value;
  }

  String need(String name) {
    String value = values.remove(name);
    if (value == null) throw new IllegalArgumentException("--" + name + " is needed");
    return value;
  }

  long number(String name, long otherwise) {
    String value = values.remove(name);
    return value == null ? otherwise : Long.parseLong(value);
  }

  /** After all were asked for. */
  void nothingElse() {
    if (!values.isEmpty()) throw new IllegalArgumentException("unknown option --" + values.keySet().iterator().next());
  }

  /** {@code --bootstrap} and {@code --client-properties FILE}: how the broker is reached. */
  Properties client() throws IOException {
    Properties properties = new Properties();
    String file = text("client-properties", null);
    if (file != null) {
      try (FileInputStream in = new FileInputStream(file)) {
        properties.load(in);
      }
    }
    properties.put("bootstrap.servers", need("bootstrap"));
    return properties;
  }
}
