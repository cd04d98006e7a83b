// Bytes that real servers sent, each beside the SQL that made them. Recorded with
//   SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes(slot, NULL, NULL,
//     'proto_version', VERSION, 'publication_names', 'p' [, 'messages', 'true'] [, 'streaming', 'on'] ...);
// from PostgreSQL 15.20 (the last group: 18.4), with logical_decoding_work_mem = 64kB for streaming, over
//   CREATE TABLE outbox (id bigint PRIMARY KEY, type text, payload jsonb);
//   CREATE TYPE mood AS ENUM ('sad', 'ok');
//   CREATE TABLE full_row (a int, b mood);  ALTER TABLE full_row REPLICA IDENTITY FULL;
//   CREATE TABLE toasted (id int PRIMARY KEY, n int, big text);  ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;
//   CREATE PUBLICATION p FOR ALL TABLES;
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relay::test {

inline std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) out += static_cast<char>(digit(hex[i]) << 4 | digit(hex[i + 1]));
  return out;
}

struct Golden {
  const char* sql;
  int version;
  std::vector<std::string_view> messages;
};

inline const char* const kOutboxRelation =
    "52000040017075626c6963006f7574626f78006400030169640000000014ffffffff00747970650000000019ffffffff"
    "007061796c6f61640000000edaffffffff";
inline const char* const kMoodType = "59000040097075626c6963006d6f6f6400";
inline const char* const kFullRowRelation =
    "520000400d7075626c69630066756c6c5f726f770066000201610000000017ffffffff01620000004009ffffffff";

inline const Golden kInsert{
    R"(INSERT INTO outbox VALUES (1, 'created', '{"n": 1}'), (2, '', NULL);)",
    1,
    {"42000000000194f578000303e41efe1478000002de", kOutboxRelation,
     "49000040014e000374000000013174000000076372656174656474000000087b226e223a20317d",
     "49000040014e000374000000013274000000006e", "4300000000000194f578000000000194f5a8000303e41efe1478"}};
inline const Golden kChanges{
    "BEGIN; UPDATE outbox SET id = 3 WHERE id = 1; UPDATE outbox SET type = 'x' WHERE id = 2; "
    "DELETE FROM outbox WHERE id = 3; COMMIT;",
    1,
    {"42000000000194f738000303e41eff5a1d000002df", kOutboxRelation,
     "55000040014b00037400000001316e6e4e000374000000013374000000076372656174656474000000087b226e223a20317d",
     "55000040014e00037400000001327400000001786e", "44000040014b00037400000001336e6e",
     "4300000000000194f738000000000194f768000303e41eff5a1d"}};
inline const Golden kFullIdentity{
    "INSERT INTO full_row VALUES (7, 'ok'); UPDATE full_row SET a = 8; DELETE FROM full_row;",
    1,
    {"42000000000194f7a8000303e41f0079d2000002e0", kMoodType, kFullRowRelation,
     "490000400d4e000274000000013774000000026f6b", "4300000000000194f7a8000000000194f7d8000303e41f0079d2",
     "42000000000194f830000303e41f007b78000002e1",
     "550000400d4f000274000000013774000000026f6b4e000274000000013874000000026f6b",
     "4300000000000194f830000000000194f860000303e41f007b78", "42000000000194f8a8000303e41f007bf3000002e2",
     "440000400d4f000274000000013874000000026f6b", "4300000000000194f8a8000000000194f8d8000303e41f007bf3"}};
inline const Golden kUnchangedToast{
    "INSERT INTO toasted VALUES (1, 1, repeat('x', 3000)); -- read; then: UPDATE toasted SET n = 2;",
    1,
    {"4200000000019507d0000303e41f02be86000002e4",
     "52000040107075626c696300746f6173746564006400030169640000000017ffffffff006e0000000017ffffffff"
     "006269670000000019ffffffff",
     "55000040104e000374000000013174000000013275", "430000000000019507d00000000001950800000303e41f02be86"}};
inline const Golden kTruncate{
    "TRUNCATE outbox, full_row RESTART IDENTITY CASCADE;",
    1,
    {"420000000001951600000303e41f03d49d000002e5", kOutboxRelation, kMoodType, kFullRowRelation,
     "540000000203000040010000400d", "4300000000000195160000000000019517a8000303e41f03d49d"}};
inline const Golden kMessage{
    "SELECT pg_logical_emit_message(true, 'outbox', 'hello');",
    1,
    {"4200000000019517e8000303e41f04e2f0000002e6", "4d0100000000019517e86f7574626f78000000000568656c6c6f",
     "430000000000019517e80000000001951818000303e41f04e2f0"}};
inline const Golden kNonTransactionalMessage{
    "SELECT pg_logical_emit_message(false, 'p', 'x');", 1, {"4d0000000000019f1e6070000000000178"}};
inline const Golden kOrigin{
    "SELECT pg_replication_origin_session_setup('there'); BEGIN; "
    "SELECT pg_replication_origin_xact_setup('0/AABB', '2024-01-01'); INSERT INTO outbox VALUES (9, 'o', NULL); "
    "COMMIT;",
    1,
    {"4200000000019519380002b0d5d4e94000000002e7", "4f000000000000aabb746865726500", kOutboxRelation,
     "49000040014e000374000000013974000000016f6e", "4300000000000195193800000000019519800002b0d5d4e94000"}};
inline const Golden kBinary{
    "-- 'binary', 'true'\nINSERT INTO full_row VALUES (258, 'sad');",
    1,
    {"4200000000019519c0000303e41f07a622000002e8", kMoodType, kFullRowRelation,
     "490000400d4e00026200000004000001026200000003736164", "430000000000019519c000000000019519f0000303e41f07a622"}};

// Shortened: of each segment's inserts only the short ones are kept.
inline const Golden kStreamed{
    "BEGIN; INSERT INTO outbox SELECT g, repeat('y', 300), NULL FROM generate_series(1000, 1400) g; SAVEPOINT a; "
    "INSERT INTO outbox SELECT g, repeat('z', 300), NULL FROM generate_series(2000, 2300) g; ROLLBACK TO a; "
    "INSERT INTO outbox VALUES (3000, 'last', NULL); COMMIT;",
    2,
    {"53000002e901",
     "52000002e9000040017075626c6963006f7574626f78006400030169640000000014ffffffff00747970650000000019ffffffff"
     "007061796c6f61640000000edaffffffff",
     "45", "53000002e900", "45", "41000002e9000002ea", "53000002e900",
     "52000002eb000040017075626c6963006f7574626f78006400030169640000000014ffffffff00747970650000000019ffffffff"
     "007061796c6f61640000000edaffffffff",
     "49000002eb000040014e000374000000043330303074000000046c6173746e", "45",
     "63000002e900000000000199c248000000000199c280000303e41f0a2c33"}};
inline const Golden kPrepared{
    "BEGIN; INSERT INTO outbox VALUES (21, 'p', NULL); PREPARE TRANSACTION 'gid1'; COMMIT PREPARED 'gid1';",
    3,
    {"6200000000019c6d0800000000019c6e00000303e41f10c711000002ed6769643100", kOutboxRelation,
     "49000040014e0003740000000232317400000001706e",
     "500000000000019c6d0800000000019c6e00000303e41f10c711000002ed6769643100",
     "4b0000000000019c6e0000000000019c6e38000303e41f11ded9000002ed6769643100"}};
inline const Golden kRolledBackPrepared{
    "BEGIN; INSERT INTO outbox VALUES (22, 'p', NULL); PREPARE TRANSACTION 'gid2'; -- read; then: ROLLBACK PREPARED "
    "'gid2';",
    3,
    {"720000000000019c6fb800000000019c6ff0000303e41f132bb7000303e41f147201000002ee6769643200"}};
inline const Golden kStreamPrepared{
    "BEGIN; INSERT INTO outbox SELECT g, repeat('y', 300), NULL FROM generate_series(6000, 6400) g; "
    "PREPARE TRANSACTION 'gid3';",
    3,
    {"53000002ef01", "45", "700000000000019f1c8800000000019f1d80000303e41f158dcd000002ef6769643300"}};
inline const Golden kParallelAbort{
    "-- 18.4, 'streaming', 'parallel'; the transaction of kStreamed",
    4,
    {"53000002f300", "45", "41000002f3000002f400000000017bf310000303e426eec6b0", "53000002f300", "45",
     "63000002f30000000000017bf3a000000000017bf3d8000303e426eec6d5"}};

inline const std::vector<Golden> kAllGolden{
    kInsert, kChanges, kFullIdentity, kUnchangedToast, kTruncate,           kMessage,        kNonTransactionalMessage,
    kOrigin, kBinary,  kStreamed,     kPrepared,       kRolledBackPrepared, kStreamPrepared, kParallelAbort};

}  // namespace relay::test
