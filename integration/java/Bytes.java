import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** Looking into records without making objects of them. */
final class Bytes {
  private Bytes() {}

  static byte[] header(ConsumerRecord<byte[], byte[]> record, String name) {
    Header header = record.headers().lastHeader(name);
    return header == null ? null : header.value();
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  /** The decimal number that starts at {@code from}, blanks skipped; -1 when there is none. */
  static long number(byte[] bytes, int from) {
    if (bytes == null) return -1;
    int i = from;
    while (i < bytes.length && bytes[i] == ' ') i++;
    long value = 0;
    int start = i;
    for (; i < bytes.length && bytes[i] >= '0' && bytes[i] <= '9'; i++) value = value * 10 + (bytes[i] - '0');
    return i == start ? -1 : value;
  }

  /** The value of the first {@code "field": 123} in a JSON text, at whatever depth; -1 when there is none. */
  static long jsonNumber(byte[] json, byte[] quotedField) {
    if (json == null) return -1;
    search:
    for (int i = 0; i + quotedField.length < json.length; i++) {
      for (int j = 0; j < quotedField.length; j++) if (json[i + j] != quotedField[j]) continue search;
      int colon = i + quotedField.length;
      while (colon < json.length && json[colon] == ' ') colon++;
      if (colon < json.length && json[colon] == ':') return number(json, colon + 1);
    }
    return -1;
  }

  static byte[] quoted(String field) {
    return ('"' + field + '"').getBytes(StandardCharsets.UTF_8);
  }

  /** A JSON string, or null. */
  static String json(String text) {
    if (text == null) return "null";
    StringBuilder out = new StringBuilder(text.length() + 8).append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') out.append('\\').append(c);
      else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
