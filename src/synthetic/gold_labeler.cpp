#include "synthetic/gold_labeler.hpp"

#include <algorithm>
#include <set>

#include "synthetic/summary.hpp"

namespace precis {

GoldScore gold_score(const Facts& facts, std::string_view text, bool ended) {
  const SummaryContent content = read_summary(text);
  GoldScore score;
  score.ended = ended;
  score.words = count_words(text);
  score.length_ok = score.words >= gold_least_words && score.words <= gold_most_words;
  score.unparsed = content.unparsed;
  score.coherent = content.unparsed == 0 && !content.sentences.empty();

  int points = 0;
  std::set<Fact> stated;
  std::set<Fact> right;
  for (const Facts& sentence : content.sentences) {
    for (const Fact fact : all_facts) {
      if (!states(sentence, fact)) {
        continue;
      }
      score.repeats += stated.insert(fact).second ? 0 : 1;
      if (!agree(sentence, facts, fact)) {
        ++score.wrong;
      } else if (right.insert(fact).second) {
        points += fact == Fact::question ? 2 : 1;
      }
    }
  }
  score.right = static_cast<int>(right.size());
  score.states_question = stated.contains(Fact::question);
  score.coverage = static_cast<double>(points) / gold_full_points;
  if (!stated.empty()) {
    score.accuracy = static_cast<double>(score.right) / (score.right + score.wrong);
  }
  const int bad_form = score.length_ok && score.ended ? 0 : 1;
  const int total = points - score.wrong - 2 * score.repeats - 4 * score.unparsed - 4 * bad_form;
  score.overall = std::max(-1.0, static_cast<double>(total) / gold_full_points);
  return score;
}

}  // namespace precis
