#include "eval/score_files.hpp"

#include <cstdint>
#include <map>
#include <unordered_map>

#include "base/error.hpp"
#include "io/row_id.hpp"

namespace precis {

std::vector<ScoredLine> read_scores(const std::string& path, const char* field) {
  std::vector<ScoredLine> lines;
  for_each_row(path, [&](const JsonRow& row) {
    const nlohmann::json* found = find_field(row.value, field);
    require(found != nullptr && found->is_number(),
            "{}: the field {} is missing or not a number; expected a line that `precis score` "
            "wrote with a {} model.",
            row.where(), field, std::string(field) == "reward" ? "reward" : "language");
    lines.push_back({.where = row.where(), .id = required_id(row), .value = found->get<double>()});
  });
  return lines;
}

void require_same_lines(const std::string& path, const std::vector<ScoredLine>& lines,
                        const std::string& scores_path, const std::vector<ScoredLine>& scores) {
  require(lines.size() == scores.size() && !lines.empty(),
          "{} has {} lines and {} has {}; expected the scores of these rows, line by line.", path,
          lines.size(), scores_path, scores.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    require(lines[i].id == scores[i].id,
            "{} is of the row with id {} and {} of the one with id {}; expected the scores of "
            "these rows, line by line.",
            lines[i].where, lines[i].id, scores[i].where, scores[i].id);
  }
}

std::vector<std::vector<double>> read_sample_rewards(const std::string& samples,
                                                     const std::string& rewards,
                                                     const std::vector<std::string>& ids) {
  // The index is checked where the samples themselves are read.
  const auto lines = read_scores(samples, "index");
  const auto scores = read_scores(rewards, "reward");
  require_same_lines(samples, lines, rewards, scores);
  std::unordered_map<std::string, std::map<double, double>> by_row;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    by_row[lines[i].id][lines[i].value] = scores[i].value;
  }
  std::vector<std::vector<double>> result;
  for (const std::string& id : ids) {
    auto& of_row = result.emplace_back();
    for (const auto& [index, reward] : by_row[id]) {
      of_row.push_back(reward);
    }
  }
  return result;
}

std::vector<double> read_row_rewards(const std::string& rows, const std::string& rewards,
                                     const std::vector<std::string>& ids) {
  std::vector<ScoredLine> lines;
  for (const std::string& id : ids) {
    lines.push_back({.where = rows, .id = id});
  }
  const auto scores = read_scores(rewards, "reward");
  require_same_lines(rows, lines, rewards, scores);
  std::vector<double> result;
  for (const ScoredLine& score : scores) {
    result.push_back(score.value);
  }
  return result;
}

}  // namespace precis
