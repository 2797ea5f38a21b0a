#include "feedback/simulated_labeler.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/random.hpp"
#include "synthetic/summary.hpp"
#include "synthetic/synthetic_post.hpp"

namespace precis {
namespace {

// The log odds that a summary better by `margin` is preferred.
double log_odds(double margin, double temperature) {
  if (temperature == 0) {
    constexpr double certain = std::numeric_limits<double>::infinity();
    return margin > 0 ? certain : margin < 0 ? -certain : 0;
  }
  return margin / temperature;
}

double margin_of(const std::array<Quality, 2>& summaries, const Labeler& labeler) {
  const auto quality = [&labeler](const Quality& summary) {
    return summary.gold + labeler.blindness * (summary.blind - summary.gold);
  };
  const auto log_words = [](const Quality& summary) {
    return std::log(static_cast<double>(std::max(summary.words, 1)));
  };
  const auto& [first, second] = summaries;
  return labeler.gold_weight * (quality(second) - quality(first)) +
         labeler.length_bonus * (log_words(second) - log_words(first));
}

// `facts`, but where the text states one, what it states of it first.
Facts as_told(Facts facts, const std::string& text) {
  Facts told;
  for (const Facts& sentence : read_summary(text).sentences) {
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
      if (told.words[slot] == Facts::unstated && sentence.words[slot] != Facts::unstated) {
        told.words[slot] = sentence.words[slot];
        facts.words[slot] = sentence.words[slot];
      }
    }
  }
  return facts;
}

Judgement judgement_of(int choice, int strength) {
  return {.choice = choice, .confidence = choice == 1 ? 5 + strength : 5 - strength};
}

}  // namespace

Quality quality_of(const Facts& facts, const std::string& text, bool ended) {
  const GoldScore gold = gold_score(facts, text, ended);
  return {.gold = gold.overall,
          .blind = gold_score(as_told(facts, text), text, ended).overall,
          .words = gold.words};
}

std::optional<std::array<Quality, 2>> qualities_of(const Comparison& pair) {
  const auto facts = read_post(pair.post.body);
  if (!facts) {
    return std::nullopt;
  }
  const auto quality = [&](std::size_t k) {
    return quality_of(*facts, pair.summaries[k], pair.notes[k] != "length");
  };
  return std::array<Quality, 2>{quality(0), quality(1)};
}

Judgement judge(const std::array<Quality, 2>& summaries, const Labeler& labeler, std::uint64_t seed,
                const PairToJudge& pair) {
  const auto block = random_block(seed, Purpose::labeler, name_number(labeler.worker),
                                  static_cast<std::uint32_t>(pair.number >> 32),
                                  static_cast<std::uint32_t>(pair.number));
  const double reliability = labeler.reliability * (1 - labeler.drift * pair.time);
  const double drawn = uniform_from(block[2], block[3]);
  const double place = pair.swapped ? 1 - drawn : drawn;
  if (uniform_from(block[0], block[1]) >= reliability) {
    const int choice = place < 0.5 ? 1 : 0;
    const double within = std::abs(1 - 2 * place);  // uniform, whatever the choice
    return judgement_of(choice, std::min(1 + static_cast<int>(within * 4), 4));
  }
  // Bradley and Terry's choice as a noisy comparison: the noise is logistic.
  const double noise = std::log(place) - std::log1p(-place);
  const double felt = log_odds(margin_of(summaries, labeler), labeler.temperature) - noise;
  const double sureness = 1 / (1 + std::exp(-std::abs(felt)));
  return judgement_of(felt > 0 ? 1 : 0, std::min(1 + static_cast<int>((sureness - 0.5) * 8), 4));
}

std::vector<std::vector<std::size_t>> assign_labelers(std::size_t pairs, std::size_t labelers,
                                                      std::size_t per_pair, std::uint64_t seed) {
  assert(per_pair >= 1 && per_pair <= labelers);
  RandomStream random(seed, Purpose::pairing, name_number("assignment"));
  // Labelers are dealt from shuffled decks of all of them. A labeler whom the pair already has,
  // from the deck before, stays in the deck for the next pair.
  std::vector<std::size_t> deck;
  std::vector<std::vector<std::size_t>> assigned(pairs);
  for (auto& of_pair : assigned) {
    while (of_pair.size() < per_pair) {
      if (deck.empty()) {
        deck.resize(labelers);
        std::iota(deck.begin(), deck.end(), std::size_t{0});
        for (std::size_t i = deck.size(); i > 1; --i) {
          std::swap(deck[i - 1], deck[random.below(static_cast<std::uint32_t>(i))]);
        }
      }
      const auto next = std::find_if(deck.begin(), deck.end(), [&](std::size_t labeler) {
        return std::find(of_pair.begin(), of_pair.end(), labeler) == of_pair.end();
      });
      of_pair.push_back(*next);
      deck.erase(next);
    }
  }
  return assigned;
}

}  // namespace precis
