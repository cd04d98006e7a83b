// A bounds-checked cursor over foreign bytes in network byte order. Reading past the end sets a sticky failure and
// yields zeros, so a parser checks ok() once per message instead of once per field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relay {

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : p_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return ok_; }
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - p_); }
  bool at_end() const { return p_ == end_; }

  std::uint8_t u8() { return static_cast<std::uint8_t>(read<1>()); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(read<2>()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(read<4>()); }
  std::uint64_t u64() { return read<8>(); }
  std::int16_t i16() { return static_cast<std::int16_t>(u16()); }
  std::int32_t i32() { return static_cast<std::int32_t>(u32()); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }

  // A view into the input; empty after a failure.
  std::string_view bytes(std::size_t n) {
    if (!ok_ || remaining() < n) return failed();
    std::string_view out(p_, n);
    p_ += n;
    return out;
  }

  // A NUL-terminated string, the NUL consumed and not part of the view.
  std::string_view c_string() {
    for (const char* q = p_; ok_ && q != end_; ++q)
      if (*q == '\0') {
        std::string_view out(p_, static_cast<std::size_t>(q - p_));
        p_ = q + 1;
        return out;
      }
    return failed();
  }

 private:
  template <int N>
  std::uint64_t read() {
    if (!ok_ || remaining() < N) {
      failed();
      return 0;
    }
    std::uint64_t v = 0;
    for (int i = 0; i < N; ++i) v = (v << 8) | static_cast<unsigned char>(p_[i]);
    p_ += N;
    return v;
  }
  std::string_view failed() {
    ok_ = false;
    p_ = end_;
    return {};
  }

  const char* p_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace relay
