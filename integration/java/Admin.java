import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What scenarios do to the broker, and ask of it: {@code admin BOOTSTRAP COMMAND ARGUMENT...}. Every answer is JSON.
 *
 * <pre>
 * topics                                      names
 * create-topic NAME PARTITIONS [KEY=VALUE]... configuration as for kafka-topics
 * delete-topic NAME
 * add-partitions NAME TOTAL
 * topic NAME                                  partitions, configuration
 * set-topic NAME KEY=VALUE
 * last NAME PARTITION                         the newest committed record, or null
 * produce NAME PARTITION KEY VALUE [COUNT]    plain records; %d in the value is their number
 * open-transaction ID NAME PARTITION MS        leaves a transaction open behind a record; the broker ends it after so long
 * transaction ID                              producer epoch and state of a transactional id
 * password USER PASSWORD                      SCRAM-SHA-512
 * allow USER OPERATION TYPE NAME              access; TYPE topic, transactional_id, group or cluster; NAME may end in *
 * </pre>
 */
final class Admin {
  private static final Map<String, org.apache.kafka.clients.admin.Admin> CLIENTS = new HashMap<>();
  private static final List<KafkaProducer<byte[], byte[]>> LEFT_OPEN = new ArrayList<>();

  private final String bootstrap;
  private final org.apache.kafka.clients.admin.Admin admin;
  private final List<String> words;

  private Admin(List<String> words) {
    bootstrap = words.get(0);
    this.words = words.subList(1, words.size());
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("default.api.timeout.ms", "20000");
    properties.put("request.timeout.ms", "15000");
    // Kept for the next question: `serve` asks many.
    admin = CLIENTS.computeIfAbsent(bootstrap, b -> org.apache.kafka.clients.admin.Admin.create(properties));
  }

  static String run(List<String> words) throws Exception {
    if (words.size() < 2) throw new IllegalArgumentException("admin BOOTSTRAP COMMAND ARGUMENT...");
    return new Admin(words).answer();
  }

  private String answer() throws Exception {
    switch (words.get(0)) {
      case "topics":
        return topics();
      case "create-topic":
        createTopic();
        break;
      case "delete-topic":
        admin.deleteTopics(List.of(word(1))).all().get();
        break;
      case "add-partitions":
        admin.createPartitions(Map.of(word(1), NewPartitions.increaseTo(number(2)))).all().get();
        break;
      case "topic":
        return topic();
      case "set-topic":
        setTopic();
        break;
      case "last":
        return last();
      case "produce":
        produce();
        break;
      case "open-transaction":
        openTransaction();
        break;
      case "transaction":
        return transaction();
      case "password":
        admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(word(1),
            new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), word(2)))).all().get();
        break;
      case "allow":
        allow();
        break;
      default:
        throw new IllegalArgumentException("unknown admin command " + words.get(0));
    }
    return "true";
  }

  private String word(int i) {
    if (i >= words.size()) throw new IllegalArgumentException(words.get(0) + ": argument " + i + " is missing");
    return words.get(i);
  }

  private int number(int i) {
    return Integer.parseInt(word(i));
  }

  private String topics() throws Exception {
    StringBuilder out = new StringBuilder("[");
    for (String name : new TreeSet<>(admin.listTopics().names().get())) {
      out.append(out.length() > 1 ? "," : "").append(Bytes.json(name));
    }
    return out.append("]").toString();
  }

  private void createTopic() throws Exception {
    Map<String, String> settings = new HashMap<>();
    for (String word : words.subList(3, words.size())) {
      settings.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
    }
    NewTopic topic = new NewTopic(word(1), Optional.of(number(2)), Optional.empty()).configs(settings);
    admin.createTopics(List.of(topic)).all().get();
  }

  private String topic() throws Exception {
    TopicDescription topic = admin.describeTopics(List.of(word(1))).allTopicNames().get().get(word(1));
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, word(1));
    StringBuilder out = new StringBuilder("{\"partitions\":" + topic.partitions().size());
    for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
      out.append(',').append(Bytes.json(entry.name())).append(':').append(Bytes.json(entry.value()));
    }
    return out.append("}").toString();
  }

  private void setTopic() throws Exception {
    String setting = word(2);
    ConfigEntry entry = new ConfigEntry(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
    Collection<AlterConfigOp> change = List.of(new AlterConfigOp(entry, AlterConfigOp.OpType.SET));
    admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.TOPIC, word(1)), change)).all().get();
  }

  private String last() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("isolation.level", "read_committed");
    properties.put("allow.auto.create.topics", "false");
    TopicPartition partition = new TopicPartition(word(1), number(2));
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.assign(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      ConsumerRecord<byte[], byte[]> newest = null;
      // Backwards in growing steps: the end may be transaction markers and aborted records.
      for (long step = 20; newest == null && end > 0; step *= 10) {
        consumer.seek(partition, Math.max(0, end - step));
        while (consumer.position(partition) < end) {
          for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) newest = record;
        }
        if (step > end) break;
      }
      if (newest == null) return "null";
      return "{\"offset\":" + newest.offset() + ",\"key\":" + Bytes.json(Bytes.text(newest.key())) + ",\"value\":"
          + Bytes.json(Bytes.text(newest.value())) + "}";
    }
  }

  private KafkaProducer<byte[], byte[]> producer(String transactionalId, String timeout) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", bootstrap);
    properties.put("linger.ms", "20");
    if (transactionalId != null) {
      properties.put("transactional.id", transactionalId);
      properties.put("transaction.timeout.ms", timeout);
    }
    return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private void produce() {
    int count = words.size() > 5 ? number(5) : 1;
    try (KafkaProducer<byte[], byte[]> producer = producer(null, null)) {
      for (int i = 0; i < count; i++) {
        byte[] value = word(4).replace("%d", Integer.toString(i)).getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(word(1), number(2), word(3).getBytes(StandardCharsets.UTF_8), value));
      }
      producer.flush();
    }
  }

  private void openTransaction() throws Exception {
    KafkaProducer<byte[], byte[]> producer = producer(word(1), word(4));
    LEFT_OPEN.add(producer);
    producer.initTransactions();
    producer.beginTransaction();
    producer.send(new ProducerRecord<>(word(2), number(3), new byte[] {'k'}, new byte[] {'v'})).get();
  }

  private String transaction() throws Exception {
    TransactionDescription t = admin.describeTransactions(List.of(word(1))).description(word(1)).get();
    return "{\"producer_id\":" + t.producerId() + ",\"epoch\":" + t.producerEpoch() + ",\"state\":"
        + Bytes.json(t.state().toString()) + "}";
  }

  private void allow() throws Exception {
    boolean prefix = word(4).endsWith("*") && word(4).length() > 1;
    String name = prefix ? word(4).substring(0, word(4).length() - 1) : word(4);
    ResourcePattern pattern = new ResourcePattern(ResourceType.fromString(word(3)), name,
        prefix ? PatternType.PREFIXED : PatternType.LITERAL);
    AccessControlEntry entry = new AccessControlEntry("User:" + word(1), "*", AclOperation.fromString(word(2)),
        AclPermissionType.ALLOW);
    admin.createAcls(List.of(new AclBinding(pattern, entry))).all().get();
  }
}
