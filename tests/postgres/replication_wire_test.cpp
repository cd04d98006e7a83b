#include "connectors/postgres/replication_wire.h"

#include <doctest/doctest.h>

#include "connectors/postgres/pgoutput.h"
#include "tests/postgres/pgoutput_bytes.h"

using namespace relay;
using namespace relay::connectors::postgres;
using relay::test::from_hex;

TEST_CASE("WAL data is unwrapped with the LSN of its change") {
  const auto bytes = from_hex("77000000000194f570000000000194f570000303e41efe147845");
  const auto message = decode_server_message(bytes);
  REQUIRE(message);
  const auto& data = std::get<XLogData>(*message);
  CHECK(data.data_start == Lsn{0x194f570});
  CHECK(data.wal_end == Lsn{0x194f570});
  CHECK(data.data == "E");
}

TEST_CASE("a keepalive says how far the server is and whether it wants an answer") {
  for (const bool wanted : {false, true}) {
    const auto bytes = from_hex(std::string("6b000000000194f5a8000303e41efe1478") + (wanted ? "01" : "00"));
    const auto message = decode_server_message(bytes);
    REQUIRE(message);
    const auto& keepalive = std::get<Keepalive>(*message);
    CHECK(keepalive.wal_end == Lsn{0x194f5a8});
    CHECK(keepalive.reply_requested == wanted);
  }
}

TEST_CASE("what is neither WAL data nor a keepalive is corrupt") {
  for (const auto* hex : {"", "78", "77", "7700000000000000", "6b000000000194f5a8000303e41efe147802",
                          "6b000000000194f5a8000303e41efe1478", "6b000000000194f5a8000303e41efe14780000"}) {
    const auto message = decode_server_message(from_hex(hex));
    REQUIRE_FALSE(message);
    CHECK(message.error().kind == ErrorKind::corrupt);
    CHECK(message.error().code == "replication_message_malformed");
  }
}

TEST_CASE("a status update confirms the same position as written, flushed and applied") {
  const auto update = encode_status_update(Lsn{0x16'B374D848}, pgoutput::kEpochUnixMicros + 258, true);
  CHECK(std::string(update.begin(), update.end()) == from_hex("72"
                                                              "00000016b374d84800000016b374d84800000016b374d848"
                                                              "0000000000000102"
                                                              "01"));
  CHECK(encode_status_update(Lsn{}, pgoutput::kEpochUnixMicros, false)[33] == 0);
}
