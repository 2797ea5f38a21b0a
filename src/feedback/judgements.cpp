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
  // Not `find_field`: a page writes null where it means it.
  const auto value = object.find(field);
  if (value == object.end()) {
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
    throw BadRow(fmt::format("{}: the field `{}` is {}; expected a whole number from {} to {}.",
                             where, path, shown(value), low, high));
  }
  return value.get<std::int64_t>();
}

void require_own_kind(const JsonRow& row, const PairList& list) {
  const nlohmann::json* format = find_field(row.value, "format");
  if (format == nullptr) {
    const bool compares = find_field(row.value, "summaries") != nullptr;
    throw BadRow(fmt::format(
        "{}: {}; expected an answer. Give the files that a page of `precis label export` "
        "downloaded.",
        row.where(), compares ? "this is a comparison" : "the field `format` is missing"));
  }
  if (*format != answer_format && *format != former_answer_format) {
    throw BadRow(fmt::format("{}: the field `format` is {}; expected \"{}\".", row.where(),
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
    throw BadRow(fmt::format("{}: the field `axes.{}` is {}; expected an object.", where, side,
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

bool is_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  return std::equal(text.begin(), text.end(), form.begin(), form.end(), [](char c, char wanted) {
    return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
  });
}

/// When the line was downloaded; empty for a page of the former version.
std::string time_of(const JsonRow& row) {
  if (row.text("format") == former_answer_format) {
    return "";
  }
  const std::string& time = row.text("downloaded");
  if (!is_time(time)) {
    throw BadRow(fmt::format(
        "{}: the field `downloaded` is \"{}\"; expected a time like 2026-11-29T20:01:02.345Z.",
        row.where(), time));
  }
  return time;
}

/// Why the pair cannot be judged; empty: it was judged.
std::string reason_in(const JsonRow& row) {
  if (row.text("format") == former_answer_format ||
      field_of(row.value, "cannot_judge", row.where()).is_null()) {
    return "";
  }
  const std::string& reason = row.text("cannot_judge");
  if (std::ranges::find(cannot_judge_reasons, reason) == cannot_judge_reasons.end()) {
    throw BadRow(fmt::format(
        "{}: the field `cannot_judge` is \"{}\"; expected null or one of {}.", row.where(), reason,
        joined(std::vector<std::string>(cannot_judge_reasons.begin(), cannot_judge_reasons.end()),
               ", ")));
  }
  return reason;
}

/// Choice, confidence and axes, turned to the order of the row's own summaries.
void read_judgement(const JsonRow& row, Answer& answer) {
  const std::string where = row.where();
  const auto left = static_cast<int>(whole_number(row.value, "left", 0, 1, where, "left"));
  const std::int64_t scale = whole_number(row.value, "scale", 1, most_scale, where, "scale");
  answer.choice = prefers_right(row, scale) ? 1 - left : left;
  answer.confidence = static_cast<int>(left == 0 ? scale : most_scale + 1 - scale);
  if (const nlohmann::json& axes = field_of(row.value, "axes", where); axes.is_object()) {
    const std::array sides = {ratings_of(axes, "left", where), ratings_of(axes, "right", where)};
    answer.axes = left == 0 ? sides : std::array{sides[1], sides[0]};
  } else if (!axes.is_null()) {
    throw BadRow(
        fmt::format("{}: the field `axes` is {}; expected an object or null.", where, shown(axes)));
  }
}

/// A line that is marked as complete.
Answer parse_answer(const JsonRow& row, std::size_t place) {
  const std::string where = row.where();
  Answer answer;
  answer.place = place;
  answer.worker = row.text("worker");
  answer.downloaded = time_of(row);
  answer.cannot_judge = reason_in(row);
  if (answer.cannot_judge.empty()) {
    read_judgement(row, answer);
  }
  answer.note = row.text("note");
  const nlohmann::json& seconds = field_of(row.value, "seconds", where);
  if (!seconds.is_number() || seconds < 0) {
    throw BadRow(fmt::format("{}: the field `seconds` is {}; expected a number from 0.", where,
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

bool same_answer(const Answer& a, const Answer& b) {
  return a.choice == b.choice && a.confidence == b.confidence && a.axes == b.axes &&
         a.cannot_judge == b.cannot_judge && a.note == b.note;
}

/// The one that counts of a labeler's answers to a pair. Does not depend on their order.
const Answer& latest_of(const std::vector<Answer>& answers) {
  const Answer& latest = *std::ranges::max_element(answers, {}, [](const Answer& answer) {
    return std::pair(std::string_view(answer.downloaded), answer.seconds);
  });
  for (const Answer& other : answers) {
    require(other.downloaded != latest.downloaded || same_answer(other, latest),
            "{}: {} has answered this pair otherwise at {}, and {}, so which answer is the later "
            "one cannot be known. Give the later file only, and let no two labelers have one name.",
            std::max(other.where, latest.where), other.worker, std::min(other.where, latest.where),
            other.downloaded.empty() ? "neither line has a time (pages of an earlier version write "
                                       "none)"
                                     : "both were downloaded at " + other.downloaded);
  }
  return latest;
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
      throw BadRow(row.where() + ": the field `worker` is empty; expected a name.");
    }
    const nlohmann::json& complete = field_of(row.value, "complete", row.where());
    if (!complete.is_boolean()) {
      throw BadRow(fmt::format("{}: the field `complete` is {}; expected true or false.",
                               row.where(), shown(complete)));
    }
    const auto [index, is_new] = places_.emplace(worker, labelers_.size());
    if (is_new) {
      labelers_.push_back({.worker = worker, .asked = {}, .answers = {}});
    }
    Labeler& labeler = labelers_[index->second];
    for (std::size_t asked = range.first; asked < range.behind; ++asked) {
      labeler.asked.insert(labeler.asked.end(), asked);
    }
    if (!complete.get<bool>()) {
      return;
    }
    labeler.answers[place].push_back(parse_answer(row, place));
  }

  Answers result() && {
    Answers result;
    for (const Labeler& labeler : labelers_) {
      LabelerAnswers summary{.worker = labeler.worker, .missing = {}};
      std::vector<double> seconds;
      for (const auto& [place, given] : labeler.answers) {
        const Answer& latest = latest_of(given);
        const auto alike = std::ranges::count_if(
            given, [&](const Answer& answer) { return same_answer(answer, latest); });
        summary.repeated += alike - 1;
        summary.replaced += static_cast<std::int64_t>(given.size()) - alike;
        if (latest.cannot_judge.empty()) {
          ++summary.answered;
          seconds.push_back(latest.seconds);
          result.answers.push_back(latest);
        } else {
          ++summary.unable;
          result.unjudged.push_back(latest);
        }
      }
      summary.median_seconds = median(std::move(seconds));
      std::copy_if(labeler.asked.begin(), labeler.asked.end(), std::back_inserter(summary.missing),
                   [&](std::size_t place) { return !labeler.answers.contains(place); });
      result.labelers.push_back(std::move(summary));
    }
    std::ranges::stable_sort(result.answers, {}, &Answer::place);
    std::ranges::stable_sort(result.unjudged, {}, &Answer::place);
    return result;
  }

 private:
  struct Labeler {
    std::string worker;
    std::set<std::size_t> asked;  // places of all pairs on the labeler's pages
    std::map<std::size_t, std::vector<Answer>> answers;  // by place, as the files have them
  };

  const PairList& list_;
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

/// Batch and split behind the fields that are there, as OpenAI's files have them.
void add_labels(nlohmann::ordered_json& result, const nlohmann::json& row) {
  for (const char* field : {"batch", "split"}) {
    if (const auto* value = find_field(row, field)) {
      result[field] = *value;
    }
  }
}

/// `extra` of a row: what it begins with, the answer's note and seconds, and what the row had.
nlohmann::ordered_json extra_json(nlohmann::ordered_json extra, const nlohmann::json& row,
                                  const Answer& answer) {
  if (!answer.note.empty()) {
    extra["note"] = answer.note;
  }
  extra["seconds"] = answer.seconds;
  if (const auto* before = find_field(row, "extra"); before != nullptr && before->is_object()) {
    nlohmann::json others = *before;
    others.erase("note");  // of an earlier judgement
    add_others(extra, others);
  }
  return extra;
}

}  // namespace

Answers read_answers(const std::vector<std::string>& files, const PairList& list) {
  Collector collector(list);
  for (const std::string& file : files) {
    for_each_row(file, [&](const JsonRow& row) { collector.add(row); });
  }
  Answers answers = std::move(collector).result();
  require(!answers.answers.empty() || !answers.unjudged.empty(),
          "{}: no pair has a complete answer.", joined(files, ", "));
  return answers;
}

nlohmann::ordered_json comparison_json(const ListedPair& pair, const Answer& answer) {
  nlohmann::ordered_json result = {{"info", pair.row.at("info")},
                                   {"summaries", pair.row.at("summaries")},
                                   {"choice", answer.choice},
                                   {"worker", answer.worker}};
  add_labels(result, pair.row);
  result["extra"] = extra_json({{"confidence", answer.confidence}}, pair.row, answer);
  add_others(result, pair.row);
  return result;
}

nlohmann::ordered_json unjudged_json(const ListedPair& pair, const Answer& answer) {
  nlohmann::ordered_json result = {{"info", pair.row.at("info")},
                                   {"summaries", pair.row.at("summaries")},
                                   {"cannot_judge", answer.cannot_judge},
                                   {"worker", answer.worker}};
  add_labels(result, pair.row);
  result["extra"] = extra_json(nlohmann::ordered_json::object(), pair.row, answer);
  add_others(result, pair.row);
  // These are from an earlier judgement, if the row had one.
  result.erase("choice");
  result["extra"].erase("confidence");
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
