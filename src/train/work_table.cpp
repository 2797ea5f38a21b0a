#include "train/work_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/text.hpp"
#include "base/work_log.hpp"

namespace precis {
namespace {

constexpr std::size_t other = work_kinds;  // behind the kinds

double seconds_of(std::int64_t nanoseconds) { return 1e-9 * static_cast<double>(nanoseconds); }

}  // namespace

WorkTable gather_work(RankGroup& world) {
  const WorkLog::Totals mine = world.work().totals();
  std::int64_t wall = world.work().nanoseconds();
  std::array<std::int64_t, work_kinds> calls{};
  std::array<std::int64_t, work_kinds + 1> sum{};
  sum[other] = wall;
  for (std::size_t kind = 0; kind < work_kinds; ++kind) {
    calls[kind] = mine[kind].calls;
    sum[kind] = mine[kind].nanoseconds;
    sum[other] -= mine[kind].nanoseconds;
  }
  auto most = sum;
  auto least = sum;
  wall = all_sum(world, wall);
  world.all_reduce(calls, Reduction::sum);
  world.all_reduce(sum, Reduction::sum);
  world.all_reduce(most, Reduction::max);
  world.all_reduce(least, Reduction::min);

  const double ranks = world.size();
  WorkTable table{.ranks = world.size(), .wall = seconds_of(wall) / ranks, .rows = {}};
  for (std::size_t kind = 0; kind <= work_kinds; ++kind) {
    if (kind == other || calls[kind] > 0) {
      table.rows.push_back({.name = kind == other ? "other" : name_of(static_cast<WorkKind>(kind)),
                            .calls = kind == other ? 0 : calls[kind],
                            .seconds = seconds_of(sum[kind]) / ranks,
                            .least = seconds_of(least[kind]),
                            .most = seconds_of(most[kind])});
    }
  }
  return table;
}

std::vector<std::int64_t> shares_in_tenths(std::span<const double> parts) {
  constexpr double whole = 1000;
  std::vector<std::int64_t> shares(parts.size());
  const double sum = std::accumulate(parts.begin(), parts.end(), 0.0);
  if (!(sum > 0)) {
    return shares;
  }
  const auto exact = [&](std::size_t i) { return whole * parts[i] / sum; };
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (const std::size_t i : order) {
    shares[i] = static_cast<std::int64_t>(std::floor(exact(i)));
  }
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) {
    return exact(i) - static_cast<double>(shares[i]);
  });
  const std::int64_t left = static_cast<std::int64_t>(whole) -
                            std::accumulate(shares.begin(), shares.end(), std::int64_t{0});
  for (std::int64_t i = 0; i < left; ++i) {
    ++shares[order[static_cast<std::size_t>(i) % order.size()]];
  }
  return shares;
}

std::string to_text(const WorkTable& table) {
  std::vector<double> seconds;
  for (const WorkTable::Row& row : table.rows) {
    seconds.push_back(row.seconds);
  }
  const auto shares = shares_in_tenths(seconds);
  const bool several = table.ranks > 1;
  std::string text =
      several ? fmt::format(
                    "Where the {:.1f} s of this launch went, on {}; seconds are a rank's:\n"
                    "  {:<22} {:>9} {:>10} {:>10} {:>10} {:>7}\n",
                    table.wall, counted(table.ranks, "rank"), "work", "calls", "mean", "least",
                    "most", "share")
              : fmt::format(
                    "Where the {:.1f} s of this launch went:\n"
                    "  {:<22} {:>9} {:>10} {:>7}\n",
                    table.wall, "work", "calls", "seconds", "share");
  const auto line = [&](const WorkTable::Row& row, std::int64_t share) {
    text += fmt::format("  {:<22} {:>9} {:>10.3f}", row.name,
                        row.calls > 0 ? fmt::format("{}", row.calls) : "", row.seconds);
    if (several) {
      text += fmt::format(" {:>10.3f} {:>10.3f}", row.least, row.most);
    }
    text += fmt::format(" {:>4}.{}%\n", share / 10, share % 10);
  };
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    line(table.rows[i], shares[i]);
  }
  text.pop_back();
  return text;
}

}  // namespace precis
