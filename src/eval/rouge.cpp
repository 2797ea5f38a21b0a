#include "eval/rouge.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "eval/words.hpp"

namespace precis {
namespace {

/// Words as integers: equal words have equal integers.
using Words = std::vector<std::uint32_t>;

class Vocabulary {
 public:
  explicit Vocabulary(bool stemmer) : stemmer_(stemmer) {}

  Words words_of(std::string_view text) {
    Words words;
    for (const std::string& word : rouge_words(text, stemmer_)) {
      words.push_back(
          numbers_.emplace(word, static_cast<std::uint32_t>(numbers_.size())).first->second);
    }
    return words;
  }
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  bool stemmer_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

/// Precision, recall and F of what was found; 0 where there is nothing.
RougeScore score_of(std::size_t found, std::size_t of_prediction, std::size_t of_reference) {
  const auto share = [&](std::size_t all) {
    return all > 0 ? static_cast<double>(found) / static_cast<double>(all) : 0;
  };
  RougeScore score{.precision = share(of_prediction), .recall = share(of_reference)};
  const double sum = score.precision + score.recall;
  score.f = sum > 0 ? 2 * score.precision * score.recall / sum : 0;
  return score;
}

/// The words, or pairs of neighbours, as integers.
std::vector<std::uint64_t> ngrams(const Words& words, std::size_t n) {
  if (n == 1) {
    return {words.begin(), words.end()};
  }
  std::vector<std::uint64_t> pairs;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    pairs.push_back(std::uint64_t{words[i]} << 32U | words[i + 1]);
  }
  return pairs;
}

RougeScore rouge_n(const Words& prediction, const Words& reference, std::size_t n) {
  const auto own = ngrams(prediction, n);
  const auto wanted = ngrams(reference, n);
  std::unordered_map<std::uint64_t, std::int64_t> left;
  for (const std::uint64_t ngram : wanted) {
    ++left[ngram];
  }
  std::size_t found = 0;
  for (const std::uint64_t ngram : own) {
    if (const auto place = left.find(ngram); place != left.end() && place->second > 0) {
      --place->second;
      ++found;
    }
  }
  return score_of(found, own.size(), wanted.size());
}

/// The length of the longest common subsequence; memory of the shorter text.
std::size_t common_length(const Words& a, const Words& b) {
  const Words& columns = a.size() < b.size() ? a : b;
  std::vector<std::size_t> row(columns.size() + 1);
  for (const std::uint32_t word : a.size() < b.size() ? b : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < columns.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = word == columns[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

/// Marks the reference's words of one longest common subsequence. Of several, the one that is found
/// from the end by leaving out the prediction's word only where this alone keeps the length: which
/// one it is changes the union over the prediction's sentences.
void mark_common(const Words& reference, const Words& prediction, std::vector<bool>& marked) {
  const std::size_t columns = prediction.size();
  std::vector<bool> leaves_prediction(reference.size() * columns);
  std::vector<std::uint32_t> row(columns + 1);
  for (std::size_t i = 0; i < reference.size(); ++i) {
    std::uint32_t diagonal = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      const std::uint32_t above = row[j + 1];
      leaves_prediction[i * columns + j] = row[j] > above;
      row[j + 1] = reference[i] == prediction[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  for (std::size_t i = reference.size(), j = columns; i > 0 && j > 0;) {
    if (reference[i - 1] == prediction[j - 1]) {
      marked[i - 1] = true;
      --i;
      --j;
    } else if (leaves_prediction[(i - 1) * columns + j - 1]) {
      --j;
    } else {
      --i;
    }
  }
}

std::vector<Words> lines_of(std::string_view text, Vocabulary& vocabulary) {
  std::vector<Words> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(vocabulary.words_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// How often each word occurs in the lines; the number of all their words in `total`.
std::vector<std::int64_t> counts_of(const std::vector<Words>& lines, std::size_t vocabulary,
                                    std::size_t& total) {
  std::vector<std::int64_t> counts(vocabulary);
  total = 0;
  for (const Words& line : lines) {
    total += line.size();
    for (const std::uint32_t word : line) {
      ++counts[word];
    }
  }
  return counts;
}

RougeScore rouge_lsum(std::string_view prediction, std::string_view reference,
                      Vocabulary& vocabulary) {
  const auto own = lines_of(prediction, vocabulary);
  const auto wanted = lines_of(reference, vocabulary);
  std::size_t own_words = 0;
  std::size_t wanted_words = 0;
  auto own_left = counts_of(own, vocabulary.size(), own_words);
  auto wanted_left = counts_of(wanted, vocabulary.size(), wanted_words);
  std::size_t found = 0;
  for (const Words& line : wanted) {
    std::vector<bool> marked(line.size());
    for (const Words& other : own) {
      mark_common(line, other, marked);
    }
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (marked[i] && own_left[line[i]] > 0 && wanted_left[line[i]] > 0) {
        --own_left[line[i]];
        --wanted_left[line[i]];
        ++found;
      }
    }
  }
  return score_of(found, own_words, wanted_words);
}

}  // namespace

Rouge rouge(std::string_view prediction, std::string_view reference, bool stemmer) {
  Vocabulary vocabulary(stemmer);
  const Words own = vocabulary.words_of(prediction);
  const Words wanted = vocabulary.words_of(reference);
  return {.rouge1 = rouge_n(own, wanted, 1),
          .rouge2 = rouge_n(own, wanted, 2),
          .rouge_l = score_of(common_length(own, wanted), own.size(), wanted.size()),
          .rouge_lsum = rouge_lsum(prediction, reference, vocabulary)};
}

nlohmann::ordered_json to_json(const Rouge& rouge) {
  const auto score = [](const RougeScore& one) {
    return nlohmann::ordered_json{{"p", one.precision}, {"r", one.recall}, {"f", one.f}};
  };
  return {{"rouge1", score(rouge.rouge1)},
          {"rouge2", score(rouge.rouge2)},
          {"rougeL", score(rouge.rouge_l)},
          {"rougeLsum", score(rouge.rouge_lsum)}};
}

}  // namespace precis
