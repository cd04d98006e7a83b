import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * All partitions of all topics whose name matches, read committed, from the beginning or from now on. Topics and partitions
 * that appear later are read from their beginning. No consumer group: nothing is stored at the broker.
 */
final class Stream implements AutoCloseable {
  private static final long LOOK_FOR_TOPICS_EVERY_MS = 500;

  private final KafkaConsumer<byte[], byte[]> consumer;
  private final Pattern topics;
  private final Map<String, Integer> partitionCounts = new HashMap<>();
  private List<TopicPartition> assigned = new ArrayList<>();
  private long lookedAt = 0;

  Stream(Options options, boolean fromBeginning) throws IOException {
    Properties properties = options.client();
    topics = Pattern.compile(options.text("topics", "outbox\\.event\\..*"));
    properties.put("isolation.level", options.text("isolation", "read_committed"));
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("max.poll.records", "20000");
    properties.put("fetch.max.bytes", "33554432");
    properties.put("max.partition.fetch.bytes", "8388608");
    properties.put("allow.auto.create.topics", "false");
    properties.put("default.api.timeout.ms", "20000");
    consumer = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    lookForTopics();
    if (!fromBeginning) consumer.endOffsets(assigned).forEach(consumer::seek);
  }

  private void lookForTopics() {
    lookedAt = System.currentTimeMillis();
    List<TopicPartition> found = new ArrayList<>();
    for (Map.Entry<String, List<PartitionInfo>> topic : consumer.listTopics().entrySet()) {
      if (!topics.matcher(topic.getKey()).matches()) continue;
      partitionCounts.put(topic.getKey(), topic.getValue().size());
      for (PartitionInfo p : topic.getValue()) found.add(new TopicPartition(p.topic(), p.partition()));
    }
    if (found.size() == assigned.size()) return;
    assigned = found;
    consumer.assign(assigned);
  }

  ConsumerRecords<byte[], byte[]> poll(Duration wait) throws InterruptedException {
    if (System.currentTimeMillis() - lookedAt > LOOK_FOR_TOPICS_EVERY_MS) lookForTopics();
    if (assigned.isEmpty()) {
      Thread.sleep(Math.min(wait.toMillis(), 50));
      return ConsumerRecords.empty();
    }
    return consumer.poll(wait);
  }

  /** Everything that is committed at this moment has been returned by poll(). */
  boolean atEnd() {
    lookForTopics();
    for (Map.Entry<TopicPartition, Long> end : consumer.endOffsets(assigned).entrySet()) {
      if (consumer.position(end.getKey()) < end.getValue()) return false;
    }
    return true;
  }

  int partitionCount(String topic) {
    return partitionCounts.get(topic);
  }

  @Override
  public void close() {
    consumer.close(Duration.ofSeconds(1));
  }
}
