// Owners for librdkafka's C handles: each destroys its handle with the function that librdkafka names for it. The only
// header of this folder that includes librdkafka's; it is for .cpp files and for headers that only they include.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <type_traits>

namespace relay::connectors::kafka {

template <auto Destroy>
struct DestroyWith {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Destroy(const_cast<std::remove_const_t<T>*>(handle));
  }
};
template <typename T, auto Destroy>
using Handle = std::unique_ptr<T, DestroyWith<Destroy>>;

// Destroying a client waits for its threads; messages that it still holds are forgotten, their memory is not touched
// afterwards.
using ClientHandle = Handle<rd_kafka_t, rd_kafka_destroy>;
using ConfHandle = Handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;
using TopicConfHandle = Handle<rd_kafka_topic_conf_t, rd_kafka_topic_conf_destroy>;
using TopicHandle = Handle<rd_kafka_topic_t, rd_kafka_topic_destroy>;
using QueueHandle = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using EventHandle = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using ErrorHandle = Handle<rd_kafka_error_t, rd_kafka_error_destroy>;
using HeadersHandle = Handle<rd_kafka_headers_t, rd_kafka_headers_destroy>;
using MessageHandle = Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using MetadataHandle = Handle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy>;
using AdminOptionsHandle = Handle<rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy>;
using NewTopicHandle = Handle<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy>;
using ConfigResourceHandle = Handle<rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy>;

}  // namespace relay::connectors::kafka
