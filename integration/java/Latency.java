import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;

/**
 * How long from the INSERT to a consumer that reads committed records: the payload carries the time of the insert in
 * microseconds since 1970 ({@code (extract(epoch from clock_timestamp()) * 1000000)::bigint}).
 *
 * <pre>
 * --topics REGEX    default outbox\.event\..*
 * --field NAME      default inserted_at
 * --warmup S        ignore what arrives in the first seconds (default 0)
 * --duration S      then measure for so long (default: until SIGTERM)
 * --events N        or until so many were measured
 * --every S         a line with the numbers of the last so many seconds (default 0: none)
 * </pre>
 *
 * Prints "ready" when it reads, and one JSON object at the end.
 */
final class Latency {
  private int[] micros = new int[1 << 16];
  private int used = 0;

  static String run(Options options, PrintStream out) throws Exception {
    byte[] field = Bytes.quoted(options.text("field", "inserted_at"));
    long warmup = options.number("warmup", 0) * 1000;
    long duration = options.number("duration", Integer.MAX_VALUE) * 1000;
    long events = options.number("events", Long.MAX_VALUE);
    long every = options.number("every", 0) * 1000;
    AtomicBoolean stop = new AtomicBoolean();
    Latency all = new Latency();
    Latency last = new Latency();
    Thread worker = Thread.currentThread();  // prints the summary and ends before the process does
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stop.set(true);
      try {
        worker.join(5000);
      } catch (InterruptedException ignored) {
        Thread.currentThread().interrupt();
      }
    }));
    long start;
    try (Stream stream = new Stream(options, false)) {
      options.nothingElse();
      stream.poll(Duration.ofMillis(200));
      start = System.currentTimeMillis();
      out.println("ready");
      out.flush();
      long printed = start;
      while (!stop.get() && all.used < events) {
        ConsumerRecords<byte[], byte[]> polled = stream.poll(Duration.ofMillis(50));
        Instant instant = Instant.now();
        long now = instant.toEpochMilli();
        long nowMicros = instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1000;
        if (now - start > warmup + duration) break;
        for (ConsumerRecord<byte[], byte[]> record : polled) {
          long inserted = Bytes.jsonNumber(record.value(), field);
          if (inserted < 0 || now - start < warmup) continue;
          all.add(nowMicros - inserted);
          if (every > 0) last.add(nowMicros - inserted);
        }
        if (every > 0 && now - printed >= every) {
          out.println(last.summary((now - printed) / 1000.0));
          out.flush();
          last = new Latency();
          printed = now;
        }
      }
    }
    return all.summary((System.currentTimeMillis() - start - warmup) / 1000.0);
  }

  private void add(long latency) {
    if (used == micros.length) micros = Arrays.copyOf(micros, used * 2);
    micros[used++] = (int) Math.max(0, Math.min(latency, Integer.MAX_VALUE));
  }

  private String summary(double seconds) {
    int[] sorted = Arrays.copyOf(micros, used);
    Arrays.sort(sorted);
    return String.format(java.util.Locale.ROOT,
        "{\"events\":%d,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}",
        used, used / Math.max(seconds, 0.001), at(sorted, 0.5), at(sorted, 0.9), at(sorted, 0.99), at(sorted, 0.999),
        at(sorted, 1));
  }

  private static double at(int[] sorted, double share) {
    if (sorted.length == 0) return 0;
    return sorted[(int) Math.min(sorted.length - 1, Math.floor(share * sorted.length))] / 1000.0;
  }
}
