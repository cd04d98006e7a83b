import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.utils.Utils;

/**
 * Reads everything that is committed and counts what must not be: an event id twice, a key out of order, a key in two
 * partitions or in another than Java's own partitioner would choose, a hole in the sequence over all topics.
 *
 * <pre>
 * --topics REGEX      default outbox\.event\..*; include the dead letter topic for a sequence without a hole
 * --expect N          wait until N different event ids were seen, for --timeout S seconds at most (default 60)
 * --settle MS         then go on reading for so long, for what should not come (default 0)
 * --order-field NAME  a number in the payload that grows per key in the order in which the database committed
 * --out FILE          every event as a line of JSON;  --format tsv: id, key, sequence, topic, partition, offset, order field
 * </pre>
 *
 * "At the end" without --expect: the end at the moment when it was reached.
 */
final class Count {
  private final Table ids = new Table();
  private final Table keys = new Table();
  private final BitSet sequences = new BitSet();
  private final TreeMap<String, Long> perTopic = new TreeMap<>();
  private final byte[] orderField;
  private long records, withoutId, duplicates, outOfOrder, splitKeys, foreignPartition, tombstones;
  private long withoutSequence, repeatedSequence, bytes;
  private String firstDuplicate, firstOutOfOrder;

  private Count(String orderField) {
    this.orderField = orderField == null ? null : Bytes.quoted(orderField);
  }

  static String run(Options options) throws Exception {
    long expect = options.number("expect", 0);
    long timeout = options.number("timeout", 60) * 1000;
    long settle = options.number("settle", 0);
    String file = options.text("out", null);
    boolean tsv = options.text("format", "json").equals("tsv");
    Count count = new Count(options.text("order-field", null));
    long start = System.currentTimeMillis();
    try (Stream stream = new Stream(options, true);
        BufferedWriter out = file == null ? null : Files.newBufferedWriter(Path.of(file), StandardCharsets.UTF_8)) {
      options.nothingElse();
      long settledAt = 0;
      while (true) {
        ConsumerRecords<byte[], byte[]> polled = stream.poll(Duration.ofMillis(100));
        for (ConsumerRecord<byte[], byte[]> record : polled) {
          count.add(record, stream.partitionCount(record.topic()));
          if (out != null) out.write(tsv ? count.tsvLine(record) : jsonLine(record));
        }
        long now = System.currentTimeMillis();
        if (now - start > timeout) break;
        if (!polled.isEmpty() || count.ids.size() < expect || !stream.atEnd()) continue;
        if (settledAt == 0) settledAt = now;
        if (now - settledAt >= settle) break;
      }
    }
    return count.summary((System.currentTimeMillis() - start) / 1000.0);
  }

  private void add(ConsumerRecord<byte[], byte[]> record, int partitionCount) {
    records++;
    bytes += record.serializedValueSize() > 0 ? record.serializedValueSize() : 0;
    perTopic.merge(record.topic(), 1L, Long::sum);
    if (record.value() == null) tombstones++;
    byte[] id = Bytes.header(record, "id");
    if (id == null) {
      withoutId++;
    } else {
      ids.find(id, null);
      if (!ids.isNew()) {
        duplicates++;
        if (firstDuplicate == null) firstDuplicate = Bytes.text(id);
      }
    }
    long sequence = Bytes.number(Bytes.header(record, "sequence"), 0);
    addSequence(sequence);
    if (record.key() != null) addKey(record, sequence, partitionCount);
  }

  private void addSequence(long sequence) {
    if (sequence < 1) {
      withoutSequence++;
    } else if (sequences.get((int) sequence)) {
      repeatedSequence++;
    } else {
      sequences.set((int) sequence);
    }
  }

  /** Per topic and key: 0 the last sequence, 1 the last order field, 2 the partition plus 1. */
  private void addKey(ConsumerRecord<byte[], byte[]> record, long sequence, int partitionCount) {
    int place = keys.find(record.topic().getBytes(StandardCharsets.UTF_8), record.key());
    long order = orderField == null ? -1 : Bytes.jsonNumber(record.value(), orderField);
    boolean wrong = sequence > 0 && sequence <= keys.get(place, 0) || order >= 0 && order < keys.get(place, 1);
    if (wrong) {
      outOfOrder++;
      if (firstOutOfOrder == null) {
        firstOutOfOrder = record.topic() + "/" + record.partition() + "@" + record.offset() + " key " + Bytes.text(record.key());
      }
    }
    if (sequence > 0) keys.set(place, 0, sequence);
    if (order >= 0) keys.set(place, 1, order);
    if (keys.get(place, 2) != 0 && keys.get(place, 2) != record.partition() + 1) splitKeys++;
    keys.set(place, 2, record.partition() + 1);
    if (Utils.toPositive(Utils.murmur2(record.key())) % partitionCount != record.partition()) foreignPartition++;
  }

  private String tsvLine(ConsumerRecord<byte[], byte[]> record) {
    long order = orderField == null ? -1 : Bytes.jsonNumber(record.value(), orderField);
    return Bytes.text(Bytes.header(record, "id")) + '\t' + Bytes.text(record.key()) + '\t'
        + Bytes.text(Bytes.header(record, "sequence")) + '\t' + record.topic() + '\t' + record.partition() + '\t'
        + record.offset() + '\t' + order + '\n';
  }

  private static String jsonLine(ConsumerRecord<byte[], byte[]> record) throws IOException {
    StringBuilder out = new StringBuilder(256);
    out.append("{\"topic\":").append(Bytes.json(record.topic())).append(",\"partition\":").append(record.partition());
    out.append(",\"offset\":").append(record.offset()).append(",\"timestamp\":").append(record.timestamp());
    out.append(",\"key\":").append(Bytes.json(Bytes.text(record.key())));
    out.append(",\"value\":").append(Bytes.json(Bytes.text(record.value()))).append(",\"headers\":[");
    String comma = "";
    for (Header header : record.headers()) {
      out.append(comma).append('[').append(Bytes.json(header.key())).append(',');
      out.append(Bytes.json(Bytes.text(header.value()))).append(']');
      comma = ",";
    }
    return out.append("]}\n").toString();
  }

  private String summary(double seconds) {
    int highest = sequences.length() - 1;
    long missing = highest < 1 ? 0 : highest - sequences.cardinality();
    int firstMissing = missing == 0 ? 0 : sequences.nextClearBit(1);
    StringBuilder topics = new StringBuilder("{");
    perTopic.forEach((name, n) -> topics.append(topics.length() > 1 ? "," : "").append(Bytes.json(name)).append(':').append(n));
    return "{\"records\":" + records + ",\"unique\":" + ids.size() + ",\"without_id\":" + withoutId + ",\"duplicates\":"
        + duplicates + ",\"out_of_order\":" + outOfOrder + ",\"split_keys\":" + splitKeys + ",\"foreign_partition\":"
        + foreignPartition + ",\"tombstones\":" + tombstones + ",\"keys\":" + keys.size() + ",\"sequence_highest\":"
        + Math.max(highest, 0) + ",\"sequence_missing\":" + missing + ",\"sequence_first_missing\":" + firstMissing
        + ",\"sequence_repeated\":" + repeatedSequence + ",\"without_sequence\":" + withoutSequence + ",\"value_bytes\":" + bytes
        + ",\"first_duplicate\":" + Bytes.json(firstDuplicate) + ",\"first_out_of_order\":" + Bytes.json(firstOutOfOrder)
        + ",\"topics\":" + topics + "},\"seconds\":" + seconds + "}";
  }
}
