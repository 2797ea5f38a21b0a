#include "model/tensor_share.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

/// How many of `count` things go to the first `of_first` of `ranks` ranks: in proportion, rounded
/// up, with one at least for each side if there are two.
std::int64_t first_part(std::int64_t count, int of_first, int ranks) {
  const std::int64_t first = (count * of_first + ranks - 1) / ranks;
  return count < 2 ? first : std::clamp<std::int64_t>(first, 1, count - 1);
}

struct Indices {
  IndexRange range;

  [[nodiscard]] std::pair<Indices, Indices> cut(int of_first, int ranks) const {
    const std::int64_t middle = range.begin + first_part(range.size(), of_first, ranks);
    return {{{range.begin, middle}}, {{middle, range.end}}};
  }
  [[nodiscard]] std::int64_t end() const { return range.end; }
};

struct Heads {
  HeadRange range;
  std::int64_t group = 1;  ///< query heads of a key-value head

  [[nodiscard]] std::pair<Heads, Heads> cut(int of_first, int ranks) const {
    const auto& [query, kv] = range;
    if (kv.size() < 2) {
      const std::int64_t middle = query.begin + first_part(query.size(), of_first, ranks);
      return {{{{query.begin, middle}, kv}, group}, {{{middle, query.end}, kv}, group}};
    }
    const std::int64_t middle = kv.begin + first_part(kv.size(), of_first, ranks);
    return {{{{query.begin, middle * group}, {kv.begin, middle}}, group},
            {{{middle * group, query.end}, {middle, kv.end}}, group}};
  }
  [[nodiscard]] std::int64_t end() const { return range.query.end; }
};

/// What rank `rank` of `ranks` has of `all`.
template <class Range>
Range share_of(const Range& all, int rank, int ranks) {
  if (ranks == 1) {
    return all;
  }
  const int of_first = (ranks + 1) / 2;
  const auto [first, second] = all.cut(of_first, ranks);
  return rank < of_first ? share_of(first, rank, of_first)
                         : share_of(second, rank - of_first, ranks - of_first);
}

/// The ends of the parts of `range`, less `begin`.
template <class Range>
void add_ends(const Range& range, std::int64_t parts, std::int64_t begin,
              std::vector<std::int64_t>& bounds) {
  if (parts == 1) {
    bounds.push_back(range.end() - begin);
    return;
  }
  const auto [first, second] = range.cut(1, 2);
  add_ends(first, parts / 2, begin, bounds);
  add_ends(second, parts / 2, begin, bounds);
}

template <class Range>
std::vector<std::int64_t> bounds_of(const Range& range, std::int64_t parts, std::int64_t begin) {
  if (parts == 1) {
    return {};
  }
  std::vector<std::int64_t> bounds{0};
  add_ends(range, parts, begin, bounds);
  return bounds;
}

void require_share(std::int64_t size, const char* what, int rank, int ranks,
                   const std::string& all) {
  if (size == 0) {
    fail_usage(
        "tp = {} leaves its rank {} without {}: {}, halved again and again. Give tp fewer ranks, "
        "and "
        "the others to dp or pp.",
        ranks, rank, what, all);
  }
}

/// The parts of one of so many ranks.
std::int64_t parts_of_rank(int ranks, std::int64_t parts) {
  return ranks <= parts && parts % ranks == 0 ? parts / ranks : 1;
}

}  // namespace

IndexShare index_share(std::int64_t count, int rank, int ranks, std::int64_t parts) {
  const Indices mine = share_of(Indices{{0, count}}, rank, ranks);
  return {.range = mine.range,
          .parts = bounds_of(mine, parts_of_rank(ranks, parts), mine.range.begin)};
}

TensorShare tensor_share(const ModelConfig& c, int rank, int ranks, std::int64_t parts) {
  const std::int64_t group = c.heads / c.kv_heads;
  const Heads all_heads{{{0, c.heads}, {0, c.kv_heads}}, group};
  const Heads heads = share_of(all_heads, rank, ranks);
  IndexShare mlp = index_share(c.mlp_width, rank, ranks, parts);
  IndexShare vocabulary = index_share(c.vocabulary, rank, ranks, parts);
  // Every rank looks at all, so that all of them stop.
  for (int other = 0; other < ranks; ++other) {
    const auto size_of = [&](std::int64_t count) {
      return share_of(Indices{{0, count}}, other, ranks).range.size();
    };
    require_share(
        share_of(all_heads, other, ranks).range.query.size(), "a query head", other, ranks,
        fmt::format("the model has {} on {}", c.heads, counted(c.kv_heads, "key-value head")));
    require_share(size_of(c.mlp_width), "a column of the MLP", other, ranks,
                  fmt::format("the model has {}", c.mlp_width));
    require_share(size_of(c.vocabulary), "a token", other, ranks,
                  fmt::format("the model has {}", c.vocabulary));
  }

  TensorShare share;
  share.heads = heads.range;
  share.mlp = mlp.range;
  share.vocabulary = vocabulary.range;
  share.query_heads = bounds_of(heads, parts_of_rank(ranks, parts), heads.range.query.begin);
  for (const std::int64_t bound : share.query_heads) {
    const std::int64_t query = heads.range.query.begin + bound;
    share.kv_heads.push_back((query + group - 1) / group - heads.range.kv.begin);
  }
  share.mlp_columns = std::move(mlp.parts);
  share.tokens = std::move(vocabulary.parts);
  if (ranks > 1 && heads.range.kv.size() == 1) {
    share.kv_holders = 0;
    for (int other = 0; other < ranks; ++other) {
      if (share_of(all_heads, other, ranks).range.kv == heads.range.kv) {
        share.kv_holder = other == rank ? share.kv_holders : share.kv_holder;
        ++share.kv_holders;
      }
    }
  }
  return share;
}

std::vector<std::int64_t> scaled(const std::vector<std::int64_t>& bounds, std::int64_t size) {
  std::vector<std::int64_t> out = bounds;
  for (std::int64_t& bound : out) {
    bound *= size;
  }
  return out;
}

}  // namespace precis
