#include "feedback/repeated_judgements.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "feedback/pair_id.hpp"

namespace precis {

bool RepeatedJudgements::is_new(const Comparison& judgement) {
  const bool swapped = trimmed(judgement.summaries[0]) > trimmed(judgement.summaries[1]);
  std::string key = fmt::format("{:016x} {} ", pair_number(judgement),
                                swapped ? 1 - judgement.choice : judgement.choice);
  if (!judgement.worker.empty()) {
    key += judgement.worker;
  } else {
    const auto& [one, other] = judgement.policies;
    for (const std::string& text :
         {std::string(swapped ? "swapped" : ""), std::to_string(judgement.confidence.value_or(0)),
          judgement.batch, judgement.split, judgement.post.id, one, other, judgement.notes[0],
          judgement.notes[1]}) {
      key += fmt::format("{}:{}", text.size(), text);
    }
  }
  const bool is_new = known_.insert(std::move(key)).second;
  count_ += is_new ? 0 : 1;
  return is_new;
}

std::string repeated_text(std::int64_t count) {
  return fmt::format(
      "{} there again, with the same pair, labeler and choice as another, and {} only once.",
      count == 1 ? "1 judgement is" : with_thousands(count) + " judgements are",
      count == 1 ? "counts" : "count");
}

}  // namespace precis
