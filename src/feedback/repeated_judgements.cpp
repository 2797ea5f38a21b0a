#include "feedback/repeated_judgements.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/text.hpp"
#include "feedback/pair_id.hpp"

namespace precis {

bool RepeatedJudgements::is_new(const Comparison& judgement) {
  // Equal texts are told apart by who wrote them.
  const auto place = [&](std::size_t k) {
    return std::pair(trimmed(judgement.summaries[k]), std::string_view(judgement.policies[k]));
  };
  const bool swapped = place(0) > place(1);
  std::string key = fmt::format("{:016x} {} ", pair_number(judgement),
                                swapped ? 1 - judgement.choice : judgement.choice);
  // Two policies may have written the same texts: who wins depends on whose text was chosen.
  const std::size_t k = swapped ? 1 : 0;
  for (const std::string& policy : {judgement.policies[k], judgement.policies[1 - k]}) {
    key += fmt::format("{}:{}", policy.size(), policy);
  }
  if (!judgement.worker.empty()) {
    key += judgement.worker;
  } else {
    for (const std::string& text :
         {std::string(swapped ? "swapped" : ""), std::to_string(judgement.confidence.value_or(0)),
          judgement.batch, judgement.split, judgement.post.id, judgement.notes[0],
          judgement.notes[1]}) {
      key += fmt::format("{}:{}", text.size(), text);
    }
  }
  const bool is_new = known_.insert(std::move(key)).second;
  count_ += is_new ? 0 : 1;
  return is_new;
}

std::string repeated_text(std::int64_t count) {
  return fmt::format("{} (same pair, labeler and choice) {} counted once.",
                     counted(count, "duplicate judgement"), count == 1 ? "was" : "were");
}

}  // namespace precis
