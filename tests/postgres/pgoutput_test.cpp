#include "connectors/postgres/pgoutput.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "tests/postgres/pgoutput_bytes.h"

using namespace relay;
using namespace relay::connectors::postgres::pgoutput;
using relay::test::from_hex;
using relay::test::Golden;

namespace {

Decoder decoder_for(const Golden& golden) { return Decoder({golden.version, golden.version >= 4}); }

// Decodes every message of a recording; the bytes stay alive as long as this does.
class Recording {
 public:
  explicit Recording(const Golden& golden) : decoder_(decoder_for(golden)) {
    for (const auto hex : golden.messages) bytes_.push_back(from_hex(hex));
  }
  // The spans of a message are the decoder's: look at message i before asking for the next.
  template <typename T>
  T at(std::size_t i) {
    while (next_ <= i) {
      auto message = decoder_.decode(bytes_[next_++]);
      REQUIRE(message);
      last_ = *message;
    }
    REQUIRE(std::holds_alternative<T>(last_));
    return std::get<T>(last_);
  }

 private:
  Decoder decoder_;
  std::vector<std::string> bytes_;
  std::size_t next_ = 0;
  AnyMessage last_;
};

std::string row(TupleData tuple) {
  std::string out;
  for (const auto& column : tuple) {
    out += out.empty() ? "" : "|";
    out += column.kind;
    if (column.kind == 't' || column.kind == 'b') out += ":" + std::string(column.value);
  }
  return out;
}

std::uint64_t seed() {
  const char* given = std::getenv("RELAY_TEST_SEED");
  const auto value = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  MESSAGE("RELAY_TEST_SEED=" << value);
  return value;
}

}  // namespace

TEST_CASE("an insert is decoded with its transaction, relation and values") {
  Recording r(test::kInsert);
  const auto begin = r.at<Begin>(0);
  CHECK(begin.final_lsn == Lsn{0x194f578});
  CHECK(begin.xid == 0x2de);
  const auto relation = r.at<Relation>(1);
  CHECK(relation.oid == 0x4001);
  CHECK(relation.nspname == "public");
  CHECK(relation.relname == "outbox");
  CHECK(relation.replica_identity == 'd');
  REQUIRE(relation.columns.size() == 3);
  CHECK(relation.columns[0].key);
  CHECK(relation.columns[0].name == "id");
  CHECK(relation.columns[0].type_oid == 20);
  CHECK_FALSE(relation.columns[2].key);
  CHECK(relation.columns[2].type_oid == 3802);
  CHECK(relation.columns[2].type_modifier == -1);
  const auto first = r.at<Insert>(2);
  CHECK(first.relation_oid == 0x4001);
  CHECK_FALSE(first.xid);
  CHECK(row(first.new_tuple) == R"(t:1|t:created|t:{"n": 1})");
  CHECK(row(r.at<Insert>(3).new_tuple) == "t:2|t:|n");
  const auto commit = r.at<Commit>(4);
  CHECK(commit.commit_lsn == begin.final_lsn);
  CHECK(commit.end_lsn == Lsn{0x194f5a8});
  CHECK(commit.commit_time == begin.commit_time);
}

TEST_CASE("an empty text and NULL are different values") {
  Recording r(test::kInsert);
  const auto insert = r.at<Insert>(3);
  CHECK(insert.new_tuple[1].value.data() != nullptr);
  CHECK(insert.new_tuple[1].value.empty());
  CHECK(insert.new_tuple[2].kind == 'n');
}

TEST_CASE("updates and deletes come with the old key, the old row, or nothing") {
  Recording r(test::kChanges);
  const auto moved = r.at<Update>(2);
  CHECK(moved.old_kind == 'K');
  CHECK(row(moved.old_tuple) == "t:1|n|n");
  CHECK(row(moved.new_tuple) == R"(t:3|t:created|t:{"n": 1})");
  const auto plain = r.at<Update>(3);
  CHECK(plain.old_kind == 0);
  CHECK(plain.old_tuple.empty());
  CHECK(row(plain.new_tuple) == "t:2|t:x|n");
  CHECK(row(r.at<Delete>(4).old_tuple) == "t:3|n|n");

  Recording full(test::kFullIdentity);
  const auto type = full.at<Type>(1);
  CHECK(type.oid == 0x4009);
  CHECK(type.nspname == "public");
  CHECK(type.name == "mood");
  CHECK(full.at<Relation>(2).replica_identity == 'f');
  const auto update = full.at<Update>(6);
  CHECK(update.old_kind == 'O');
  CHECK(row(update.old_tuple) == "t:7|t:ok");
  const auto deletion = full.at<Delete>(9);
  CHECK(deletion.old_kind == 'O');
  CHECK(row(deletion.old_tuple) == "t:8|t:ok");
}

TEST_CASE("an unchanged TOAST value is told apart from NULL") {
  Recording r(test::kUnchangedToast);
  CHECK(row(r.at<Update>(2).new_tuple) == "t:1|t:2|u");
}

TEST_CASE("a truncate names its relations and options") {
  Recording r(test::kTruncate);
  const auto truncate = r.at<Truncate>(4);
  CHECK(truncate.cascade);
  CHECK(truncate.restart_identity);
  REQUIRE(truncate.relation_oids.size() == 2);
  CHECK(truncate.relation_oids[0] == 0x4001);
  CHECK(truncate.relation_oids[1] == 0x400d);
}

TEST_CASE("logical messages say whether they belong to a transaction") {
  Recording in(test::kMessage);
  const auto message = in.at<Message>(1);
  CHECK(message.transactional);
  CHECK(message.lsn == Lsn{0x19517e8});
  CHECK(message.prefix == "outbox");
  CHECK(message.content == "hello");
  Recording out(test::kNonTransactionalMessage);
  CHECK_FALSE(out.at<Message>(0).transactional);
}

TEST_CASE("the origin of a replicated transaction is decoded") {
  Recording r(test::kOrigin);
  const auto origin = r.at<Origin>(1);
  CHECK(origin.commit_lsn == Lsn{0xaabb});
  CHECK(origin.name == "there");
}

TEST_CASE("binary values are marked as such") {
  Recording r(test::kBinary);
  CHECK(row(r.at<Insert>(3).new_tuple) == "b:" + std::string("\0\0\1\2", 4) + "|b:sad");
}

TEST_CASE("changes inside a streamed segment carry the id of their transaction") {
  Recording r(test::kStreamed);
  const auto start = r.at<StreamStart>(0);
  CHECK(start.xid == 0x2e9);
  CHECK(start.first_segment);
  CHECK(r.at<Relation>(1).xid == 0x2e9);
  CHECK_FALSE(r.at<StreamStart>(3).first_segment);
  const auto abort = r.at<StreamAbort>(5);
  CHECK(abort.xid == 0x2e9);
  CHECK(abort.subxid == 0x2ea);
  CHECK_FALSE(abort.abort_lsn);
  CHECK(r.at<Insert>(8).xid == 0x2eb);
  const auto commit = r.at<StreamCommit>(10);
  CHECK(commit.xid == 0x2e9);
  CHECK(commit.commit_lsn == Lsn{0x199c248});
  CHECK(commit.end_lsn == Lsn{0x199c280});

  Recording parallel(test::kParallelAbort);
  const auto aborted = parallel.at<StreamAbort>(2);
  CHECK(aborted.abort_lsn == Lsn{0x17bf310});
  CHECK(aborted.abort_time != 0);
}

TEST_CASE("prepared transactions are decoded in all their ends") {
  Recording r(test::kPrepared);
  const auto begin = r.at<BeginPrepare>(0);
  CHECK(begin.prepare_lsn == Lsn{0x19c6d08});
  CHECK(begin.end_lsn == Lsn{0x19c6e00});
  CHECK(begin.xid == 0x2ed);
  CHECK(begin.gid == "gid1");
  CHECK(r.at<Prepare>(3).gid == "gid1");
  CHECK(r.at<CommitPrepared>(4).commit_lsn == Lsn{0x19c6e00});
  Recording rolled(test::kRolledBackPrepared);
  const auto back = rolled.at<RollbackPrepared>(0);
  CHECK(back.prepare_end_lsn == Lsn{0x19c6fb8});
  CHECK(back.rollback_end_lsn == Lsn{0x19c6ff0});
  CHECK(back.gid == "gid2");
  Recording streamed(test::kStreamPrepared);
  CHECK(streamed.at<StreamPrepare>(2).xid == 0x2ef);
}

TEST_CASE("a message that the options asked for cannot bring is corrupt") {
  for (const auto& golden : {test::kStreamed, test::kPrepared}) {
    auto refused = Decoder().decode(from_hex(golden.messages[0]));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::corrupt);
    CHECK(refused.error().code == "pgoutput_malformed");
  }
  CHECK_FALSE(Decoder({2}).decode(from_hex(test::kPrepared.messages[0])));
  CHECK_FALSE(Decoder({2}).decode("E"));  // no segment was begun
}

TEST_CASE("every recorded message is refused when a byte is missing or left over") {
  for (const auto& golden : test::kAllGolden) {
    auto whole = decoder_for(golden);
    for (const auto hex : golden.messages) {
      const auto bytes = from_hex(hex);
      const auto before = whole;
      REQUIRE(whole.decode(bytes));
      for (std::size_t n = 0; n < bytes.size(); ++n) {
        auto decoder = before;
        CHECK_FALSE(decoder.decode(std::string_view(bytes).substr(0, n)));
      }
      auto decoder = before;
      const auto longer = decoder.decode(bytes + '\0');
      REQUIRE_FALSE(longer);
      CHECK(longer.error().kind == ErrorKind::corrupt);
    }
  }
}

TEST_CASE("a flag or kind that the protocol does not know is refused, not guessed") {
  const auto change = [](std::string_view hex, std::size_t at, char to) {
    auto bytes = from_hex(hex);
    bytes[at] = to;
    return bytes;
  };
  Decoder d;
  CHECK_FALSE(d.decode(change(test::kInsert.messages[4], 1, 1)));     // Commit flags
  CHECK_FALSE(d.decode(change(test::kInsert.messages[2], 5, 'K')));   // Insert without 'N'
  CHECK_FALSE(d.decode(change(test::kInsert.messages[2], 8, 'x')));   // kind of a column
  CHECK_FALSE(d.decode(change(test::kTruncate.messages[4], 5, 4)));   // Truncate options
  CHECK_FALSE(d.decode(change(test::kMessage.messages[1], 1, 2)));    // Message flags
  CHECK_FALSE(d.decode(change(test::kChanges.messages[4], 5, 'N')));  // Delete of a new row
  CHECK_FALSE(d.decode("Z"));
  CHECK_FALSE(d.decode(""));
  CHECK_FALSE(d.decode(std::string_view("\0", 1)));
}

TEST_CASE("mutated messages are decoded or refused, and never read outside their bytes") {
  std::mt19937_64 random(seed());
  for (int i = 0; i < 20'000; ++i) {
    const auto& golden = test::kAllGolden[random() % test::kAllGolden.size()];
    auto decoder = decoder_for(golden);
    for (const auto hex : golden.messages) {
      auto bytes = from_hex(hex);
      for (auto n = random() % 3; n > 0; --n) bytes[random() % bytes.size()] = static_cast<char>(random());
      if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
      // A copy of exact size on the heap, so that the sanitizer sees a read past its end.
      const std::unique_ptr<char[]> exact(new char[bytes.size()]);
      std::copy(bytes.begin(), bytes.end(), exact.get());
      const auto message = decoder.decode({exact.get(), bytes.size()});
      if (!message) CHECK(message.error().code == "pgoutput_malformed");
      if (!message) continue;
      if (const auto* insert = std::get_if<Insert>(&*message))
        for (const auto& column : insert->new_tuple)
          if (!column.value.empty()) {
            REQUIRE(column.value.data() >= exact.get());
            REQUIRE(column.value.data() + column.value.size() <= exact.get() + bytes.size());
          }
    }
  }
}
