#include "data/row_encoding.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <span>

#include "data/step_rows.hpp"
#include "io/jsonl.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

using Encode = std::function<EncodedRow(std::int64_t)>;

std::vector<EncodedRow> encode_range(std::int64_t begin, std::int64_t end, const Encode& encode) {
  std::vector<EncodedRow> rows(static_cast<std::size_t>(end - begin));
  std::exception_ptr error;
  std::int64_t failed = end;
#pragma omp parallel for schedule(dynamic, 64)
  for (std::int64_t i = begin; i < end; ++i) {
    EncodedRow& row = rows[static_cast<std::size_t>(i - begin)];
    try {
      row = encode(i);
    } catch (const BadRow& bad) {
      row = {.error = bad.what(), .query = {}, .responses = {}};
    } catch (...) {
#pragma omp critical(precis_encode_range)
      if (i < failed) {
        failed = i;
        error = std::current_exception();
      }
    }
  }
  if (error) {
    std::rethrow_exception(error);
  }
  return rows;
}

/// Rows as one list of numbers, each list within behind its length.
class Writer {
 public:
  void add(const EncodedRow& row) {
    add_list(row.error);
    words_.push_back(row.body_tokens);
    add_list(row.query);
    for (const auto& response : row.responses) {
      add_list(response);
    }
  }
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return std::as_bytes(std::span(words_));
  }

 private:
  template <class List>
  void add_list(const List& list) {
    words_.push_back(static_cast<std::int32_t>(list.size()));
    words_.insert(words_.end(), list.begin(), list.end());
  }
  std::vector<std::int32_t> words_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes)
      : words_(reinterpret_cast<const std::int32_t*>(bytes.data()),
               bytes.size() / sizeof(std::int32_t)) {}

  [[nodiscard]] bool has_more() const { return !words_.empty(); }
  [[nodiscard]] EncodedRow next() {
    EncodedRow row;
    take_list(row.error);
    row.body_tokens = take(1).front();
    take_list(row.query);
    for (auto& response : row.responses) {
      take_list(response);
    }
    return row;
  }

 private:
  std::span<const std::int32_t> take(std::size_t count) {
    const auto taken = words_.first(count);
    words_ = words_.subspan(count);
    return taken;
  }
  template <class List>
  void take_list(List& list) {
    const auto taken = take(static_cast<std::size_t>(take(1).front()));
    list.assign(taken.begin(), taken.end());
  }
  std::span<const std::int32_t> words_;
};

bool all_have(RankGroup& ranks, std::uint64_t digest) {
  const auto digests = ranks.all_gather(std::as_bytes(std::span(&digest, 1)));
  return std::all_of(digests.begin(), digests.end(),
                     [&](const Bytes& bytes) { return bytes == digests.front(); });
}

}  // namespace

std::vector<EncodedRow> encode_rows(std::int64_t count, const Encode& encode, RankGroup* ranks,
                                    std::uint64_t digest) {
  if (ranks == nullptr || ranks->size() == 1 || !all_have(*ranks, digest)) {
    return collectively(ranks, [&] { return encode_range(0, count, encode); });
  }
  Writer mine;
  collectively(ranks, [&] {
    const auto [begin, end] = part_of(count, ranks->rank(), ranks->size());
    for (const EncodedRow& row : encode_range(begin, end, encode)) {
      mine.add(row);
    }
  });
  auto parts = ranks->all_gather(mine.bytes());
  std::vector<EncodedRow> rows;
  rows.reserve(static_cast<std::size_t>(count));
  for (Bytes& part : parts) {
    for (Reader reader(part); reader.has_more();) {
      rows.push_back(reader.next());
    }
    part = {};
  }
  return rows;
}

}  // namespace precis
