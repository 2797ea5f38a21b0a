// Comparisons made for tests of the label page and of its answers.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace precis {

/// A comparison of "First N." by `ref` and "Second N." by `ppo`, not judged yet.
inline nlohmann::json made_pair(int number) {
  return {{"info",
           {{"id", fmt::format("t3_{}", number)},
            {"subreddit", "tifu"},
            {"title", "A title"},
            {"post", fmt::format("Post {}.", number)}}},
          {"summaries",
           {{{"text", fmt::format(" First {}.", number)}, {"policy", "ref"}, {"note", nullptr}},
            {{"text", fmt::format(" Second {}.", number)}, {"policy", "ppo"}, {"note", "length"}}}},
          {"batch", "batch3"},
          {"split", "train"}};
}

inline std::vector<nlohmann::json> made_pairs(int count) {
  std::vector<nlohmann::json> rows;
  for (int number = 0; number < count; ++number) {
    rows.push_back(made_pair(number));
  }
  return rows;
}

inline std::string to_lines(const std::vector<nlohmann::json>& rows) {
  std::string text;
  for (const nlohmann::json& row : rows) {
    text += row.dump() + "\n";
  }
  return text;
}

}  // namespace precis
