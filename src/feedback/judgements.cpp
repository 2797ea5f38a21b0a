#include "feedback/judgements.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/text.hpp"
#include "feedback/label_page.hpp"

namespace precis {
namespace {

constexpr int most_scale = 9;  // surely the right one; 1: surely the left one
constexpr int middle_scale = 5;
constexpr int most_rating = 7;

const nlohmann::json& field_of(const nlohmann::json& object, const char* field,
                               const std::string& where, const std::string& path = {}) {
  const nlohmann::json* value = find_field(object, field);
  if (value == nullptr) {
    throw BadRow(fmt::format("{}: the field `{}` is missing.", where, path.empty() ? field : path));
  }
  return *value;
}

/// "7", "text", "null": numbers as they are, of the others the kind.
std::string shown(const nlohmann::json& value) {
  return value.is_number() ? value.dump() : value.is_string() ? "text" : value.type_name();
}

std::int64_t whole_number(const nlohmann::json& object, const char* field, std::int64_t low,
                          std::int64_t high, const std::string& where, const std::string& path) {
  const nlohmann::json& value = field_of(object, field, where, path);
  if (!value.is_number_integer() || value < low || value > high) {
    throw BadRow(fmt::format("{}: the field `{}` is {}, a whole number from {} to {} was expected.",
                             where, path, shown(value), low, high));
  }
  return value.get<std::int64_t>();
}

void require_own_kind(const JsonRow& row, const PairList& list) {
  const nlohmann::json* format = find_field(row.value, "format");
  if (format == nullptr) {
    const bool compares = find_field(row.value, "summaries") != nullptr;
    throw BadRow(fmt::format(
        "{}: {}, an answer was expected. Give the files that a page of `precis label export` "
        "downloaded.",
        row.where(), compares ? "this is a comparison" : "the field `format` is missing"));
  }
  if (*format != answer_format) {
    throw BadRow(fmt::format("{}: the field `format` is {}, \"{}\" was expected.", row.where(),
                             format->is_string() ? format->dump() : format->type_name(),
                             answer_format));
  }
  if (const std::string& digest = row.text("pairs"); digest != list.digest) {
    throw BadRow(
        fmt::format("{}: this answer is of a page that was made from other pairs than those of {} "
                    "(their digests are {} and {}). Give the file that the page was exported from.",
                    row.where(), list.file, digest, list.digest));
  }
}

std::size_t place_of(const JsonRow& row, const PairList& list) {
  const std::string& id = row.text("pair");
  const auto place = list.place(id);
  if (!place) {
    throw BadRow(fmt::format("{}: the pair \"{}\" is not one of {}.", row.where(), id, list.file));
  }
  return *place;
}

/// The pairs [first, behind) that the line's page has.
struct PageRange {
  std::size_t first = 0;
  std::size_t behind = 0;
};

PageRange range_of(const JsonRow& row, const PairList& list, std::size_t place) {
  const auto pairs = static_cast<std::int64_t>(list.pairs.size());
  const std::int64_t first = whole_number(row.value, "first", 1, pairs, row.where(), "first");
  const std::int64_t count =
      whole_number(row.value, "count", 1, pairs - first + 1, row.where(), "count");
  const PageRange range{static_cast<std::size_t>(first - 1),
                        static_cast<std::size_t>(first - 1 + count)};
  if (place < range.first || place >= range.behind) {
    throw BadRow(fmt::format("{}: pair {} of {} is not on the line's page, which has {} to {}.",
                             row.where(), place + 1, list.file, first, first + count - 1));
  }
  return range;
}

AxisRatings ratings_of(const nlohmann::json& axes, const std::string& side,
                       const std::string& where) {
  const nlohmann::json& found = field_of(axes, side.c_str(), where, "axes." + side);
  if (!found.is_object()) {
    throw BadRow(fmt::format("{}: the field `axes.{}` is {}, an object was expected.", where, side,
                             shown(found)));
  }
  AxisRatings ratings{};
  for (std::size_t k = 0; k < ratings.size(); ++k) {
    ratings[k] = static_cast<int>(whole_number(found, axis_names[k], 1, most_rating, where,
                                               fmt::format("axes.{}.{}", side, axis_names[k])));
  }
  return ratings;
}

/// Whether the right one is better. A scale in the middle comes with the side that was chosen
/// nevertheless, and no other does.
bool prefers_right(const JsonRow& row, std::int64_t scale) {
  const nlohmann::json& lean = field_of(row.value, "lean", row.where());
  const bool leans = lean == "left" || lean == "right";
  if (scale == middle_scale ? !leans : !lean.is_null()) {
    throw BadRow(
        fmt::format("{}: the field `lean` is {} and `scale` is {}; with 5 it is \"left\" or "
                    "\"right\", else null.",
                    row.where(), lean.is_string() ? lean.dump() : shown(lean), scale));
  }
  return scale == middle_scale ? lean == "right" : scale > middle_scale;
}

/// A line that is marked as complete, turned to the order of the row's own summaries.
Answer parse_answer(const JsonRow& row, std::size_t place) {
  const std::string where = row.where();
  const auto left = static_cast<int>(whole_number(row.value, "left", 0, 1, where, "left"));
  const std::int64_t scale = whole_number(row.value, "scale", 1, most_scale, where, "scale");
  Answer answer;
  answer.place = place;
  answer.worker = row.text("worker");
  answer.choice = prefers_right(row, scale) ? 1 - left : left;
  answer.confidence = static_cast<int>(left == 0 ? scale : most_scale + 1 - scale);
  if (const nlohmann::json& axes = field_of(row.value, "axes", where); axes.is_object()) {
    const std::array sides = {ratings_of(axes, "left", where), ratings_of(axes, "right", where)};
    answer.axes = left == 0 ? sides : std::array{sides[1], sides[0]};
  } else if (!axes.is_null()) {
    throw BadRow(fmt::format("{}: the field `axes` is {}, an object or null was expected.", where,
                             shown(axes)));
  }
  answer.note = row.text("note");
  const nlohmann::json& seconds = field_of(row.value, "seconds", where);
  if (!seconds.is_number() || seconds < 0) {
    throw BadRow(fmt::format("{}: the field `seconds` is {}, a number from 0 was expected.", where,
                             shown(seconds)));
  }
  answer.seconds = seconds.get<double>();
  answer.where = where;
  return answer;
}

double median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Lines as they come in, by labeler.
class Collector {
 public:
  explicit Collector(const PairList& list) : list_(list) {}

  void add(const JsonRow& row) {
    require_own_kind(row, list_);
    const std::size_t place = place_of(row, list_);
    const PageRange range = range_of(row, list_, place);
    const std::string& worker = row.text("worker");
    if (worker.empty()) {
      throw BadRow(row.where() + ": the field `worker` is empty, a name was expected.");
    }
    const nlohmann::json& complete = field_of(row.value, "complete", row.where());
    if (!complete.is_boolean()) {
      throw BadRow(fmt::format("{}: the field `complete` is {}, true or false was expected.",
                               row.where(), shown(complete)));
    }
    const auto [index, is_new] = places_.emplace(worker, labelers_.size());
    if (is_new) {
      labelers_.push_back({.worker = worker, .asked = {}, .answered = {}, .seconds = {}});
    }
    Labeler& labeler = labelers_[index->second];
    for (std::size_t asked = range.first; asked < range.behind; ++asked) {
      labeler.asked.insert(labeler.asked.end(), asked);
    }
    if (!complete.get<bool>()) {
      return;
    }
    Answer answer = parse_answer(row, place);
    const auto [first, is_first] = labeler.answered.emplace(place, answer.where);
    if (!is_first) {
      throw BadRow(fmt::format(
          "{}: {} has answered this pair already, at {}. Of a page that was downloaded twice give "
          "the later file only, and let no two labelers have one name.",
          answer.where, worker, first->second));
    }
    labeler.seconds.push_back(answer.seconds);
    answers_.push_back(std::move(answer));
  }

  Answers result() && {
    Answers result;
    std::stable_sort(answers_.begin(), answers_.end(),
                     [](const Answer& a, const Answer& b) { return a.place < b.place; });
    result.answers = std::move(answers_);
    for (const Labeler& labeler : labelers_) {
      LabelerAnswers summary{.worker = labeler.worker,
                             .answered = static_cast<std::int64_t>(labeler.answered.size()),
                             .missing = {},
                             .median_seconds = median(labeler.seconds)};
      std::copy_if(labeler.asked.begin(), labeler.asked.end(), std::back_inserter(summary.missing),
                   [&](std::size_t place) { return !labeler.answered.contains(place); });
      result.labelers.push_back(std::move(summary));
    }
    return result;
  }

 private:
  struct Labeler {
    std::string worker;
    std::set<std::size_t> asked;                  // places of all pairs on the labeler's pages
    std::map<std::size_t, std::string> answered;  // place -> where
    std::vector<double> seconds;
  };

  const PairList& list_;
  std::vector<Answer> answers_;
  std::vector<Labeler> labelers_;
  std::map<std::string, std::size_t> places_;
};

/// The fields of `row` that are not in `result` yet, behind those that are.
void add_others(nlohmann::ordered_json& result, const nlohmann::json& row) {
  for (const auto& [key, value] : row.items()) {
    if (!result.contains(key)) {
      result[key] = value;
    }
  }
}

}  // namespace

Answers read_answers(const std::vector<std::string>& files, const PairList& list) {
  Collector collector(list);
  for (const std::string& file : files) {
    for_each_row(file, [&](const JsonRow& row) { collector.add(row); });
  }
  Answers answers = std::move(collector).result();
  require(!answers.answers.empty(), "{}: no pair has a complete answer.", joined(files, ", "));
  return answers;
}

nlohmann::ordered_json comparison_json(const ListedPair& pair, const Answer& answer) {
  const nlohmann::json& row = pair.row;
  nlohmann::ordered_json result = {{"info", row.at("info")},
                                   {"summaries", row.at("summaries")},
                                   {"choice", answer.choice},
                                   {"worker", answer.worker}};
  for (const char* field : {"batch", "split"}) {
    if (const auto* value = find_field(row, field)) {
      result[field] = *value;
    }
  }
  nlohmann::ordered_json extra = {{"confidence", answer.confidence}};
  if (!answer.note.empty()) {
    extra["note"] = answer.note;
  }
  extra["seconds"] = answer.seconds;
  if (const auto* before = find_field(row, "extra"); before != nullptr && before->is_object()) {
    nlohmann::json others = *before;
    others.erase("note");  // of an earlier judgement
    add_others(extra, others);
  }
  result["extra"] = extra;
  add_others(result, row);
  return result;
}

nlohmann::ordered_json axis_json(const ListedPair& pair, const Answer& answer,
                                 std::size_t summary) {
  const nlohmann::json& row = pair.row;
  nlohmann::ordered_json axes;
  for (std::size_t k = 0; k < axis_names.size(); ++k) {
    axes[axis_names[k]] = answer.axes.value()[summary][k];
  }
  nlohmann::ordered_json result = {{"info", row.at("info")}};
  if (const auto* split = find_field(row, "split")) {
    result["split"] = *split;
  }
  nlohmann::ordered_json rated = row.at("summaries").at(summary);
  rated["axes"] = axes;
  result["summary"] = rated;
  result["worker"] = answer.worker;
  if (const auto* batch = find_field(row, "batch")) {
    result["batch"] = *batch;
  }
  return result;
}

}  // namespace precis
