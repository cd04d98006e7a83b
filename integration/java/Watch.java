import java.io.PrintStream;
import java.time.Duration;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Prints events as they arrive, for people.
 *
 * <pre>
 * --topics REGEX  default outbox\.event\..*
 * --from start    from the beginning instead of from now on
 * --pause MS      after a printed event, count instead of printing for so long (default 0: print all)
 * --indent TEXT   before every line
 * </pre>
 *
 * Ends by a signal.
 */
final class Watch {
  private Watch() {}

  static String run(Options options, PrintStream out) throws Exception {
    long pause = options.number("pause", 0);
    String indent = options.text("indent", "");
    boolean fromStart = options.text("from", "now").equals("start");
    long quietUntil = 0;
    long unseen = 0;
    try (Stream stream = new Stream(options, fromStart)) {
      options.nothingElse();
      while (true) {
        for (ConsumerRecord<byte[], byte[]> record : stream.poll(Duration.ofMillis(100))) {
          if (System.currentTimeMillis() < quietUntil) {
            unseen++;
            continue;
          }
          if (unseen > 0) out.printf("%s... and %,d more%n", indent, unseen);
          unseen = 0;
          print(record, indent, out);
          quietUntil = System.currentTimeMillis() + pause;
        }
      }
    }
  }

  private static void print(ConsumerRecord<byte[], byte[]> record, String indent, PrintStream out) {
    StringBuilder headers = new StringBuilder();
    for (Header header : record.headers()) {
      if (!header.key().equals("id")) headers.append("  ").append(header.key()).append('=').append(Bytes.text(header.value()));
    }
    out.printf("%s%s %s/%d  key=%s  id=%s%s%n", indent, LocalTime.now().truncatedTo(ChronoUnit.MILLIS), record.topic(),
        record.partition(), Bytes.text(record.key()), Bytes.text(Bytes.header(record, "id")), headers);
    out.printf("%s    %s%n", indent, record.value() == null ? "(tombstone)" : Bytes.text(record.value()));
    out.flush();
  }
}
