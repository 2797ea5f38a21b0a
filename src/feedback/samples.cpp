#include "feedback/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/error.hpp"
#include "io/row_file.hpp"
#include "io/row_id.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

SampledSummary parse_sample(const JsonRow& row) {
  SampledSummary sample;
  sample.response = row.text("response");
  const auto* const index = find_field(row.value, "index");
  if (index == nullptr || !index->is_number_integer() || *index < 0) {
    throw BadRow(fmt::format(
        "{}: the field index is missing or not a whole number from 0; expected a line of `precis "
        "sample`.",
        row.where()));
  }
  sample.index = index->get<std::int64_t>();
  const std::string& finish = row.text("finish");
  if (finish != "eos" && finish != "length") {
    throw BadRow(
        fmt::format("{}: finish is \"{}\"; expected \"eos\" or \"length\".", row.where(), finish));
  }
  sample.ended = finish == "eos";
  return sample;
}

// "a, b, c and 5 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(shown, names.size()); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

}  // namespace

std::vector<SummaryRow> read_summary_rows(const std::string& path, bool with_summary) {
  std::vector<SummaryRow> rows;
  std::unordered_map<std::string, std::int64_t> lines;
  for_each_row(path, [&](const JsonRow& json) {
    SummaryRow row = parse_summary_row(json, with_summary);
    const auto [first, is_new] = lines.emplace(row.id(), row.line);
    require(is_new,
            "{}: the id {} is already that of line {}; samples are matched to rows by id, so each "
            "must be there once.",
            row.where(), row.id(), first->second);
    rows.push_back(std::move(row));
  });
  require_rows(std::ssize(rows), path);
  return rows;
}

std::vector<std::string> ids_of(const std::vector<SummaryRow>& rows) {
  std::vector<std::string> ids;
  for (const SummaryRow& row : rows) {
    ids.push_back(row.id());
  }
  return ids;
}

std::vector<GoldRow> read_gold_rows(const std::string& path) {
  std::vector<GoldRow> rows;
  for (SummaryRow& row : read_summary_rows(path, true)) {
    const auto facts = read_post(row.post.body);
    require(
        facts.has_value(),
        "{}: the post is not one that `precis synthesize` writes, so the gold labeler cannot read "
        "it. Real posts need people's comparisons.",
        row.where());
    std::string id = row.id();
    rows.push_back({.id = std::move(id), .row = std::move(row), .facts = *facts});
  }
  return rows;
}

std::vector<std::vector<SampledSummary>> read_samples(const std::string& path,
                                                      const std::vector<GoldRow>& rows) {
  std::vector<std::string> ids;
  for (const GoldRow& row : rows) {
    ids.push_back(row.id);
  }
  return read_samples(path, ids, rows.front().row.file);
}

std::vector<std::vector<SampledSummary>> read_samples(const std::string& path,
                                                      const std::vector<std::string>& ids,
                                                      const std::string& rows_file) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    places.emplace(ids[i], i);
  }
  std::vector<std::vector<SampledSummary>> samples(ids.size());
  std::vector<std::string> unknown;
  for_each_row(path, [&](const JsonRow& json) {
    SampledSummary sample = parse_sample(json);
    const std::string id = required_id(json);
    const auto place = places.find(id);
    if (place == places.end()) {
      unknown.push_back(id);
      return;
    }
    auto& of_row = samples[place->second];
    const bool twice = std::any_of(of_row.begin(), of_row.end(), [&](const SampledSummary& other) {
      return other.index == sample.index;
    });
    require(!twice, "{}: sample {} of the row with id {} is there a second time.", json.where(),
            sample.index, id);
    of_row.push_back(std::move(sample));
  });
  const std::string advice = "Give the rows that the samples were made from.";
  require(unknown.empty(), "{}: no row of {} has the id {} of these samples. {}", path, rows_file,
          some_of(unknown), advice);

  std::vector<std::string> missing;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (samples[i].empty()) {
      missing.push_back(ids[i]);
    }
    std::sort(samples[i].begin(), samples[i].end(),
              [](const SampledSummary& a, const SampledSummary& b) { return a.index < b.index; });
  }
  require(missing.empty(), "{}: there are no samples of the rows with id {} of {}. {}", path,
          some_of(missing), rows_file, advice);
  for (std::size_t i = 1; i < ids.size(); ++i) {
    require(
        samples[i].size() == samples[0].size(),
        "{}: the row with id {} has {} samples and the one with id {} has {}; each must have as "
        "many.",
        path, ids[0], samples[0].size(), ids[i], samples[i].size());
  }
  return samples;
}

GoldScore gold_score(const GoldRow& row, const SampledSummary& sample) {
  return gold_score(row.facts, sample.response, sample.ended);
}

}  // namespace precis
