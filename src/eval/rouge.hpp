// ROUGE as Google's rouge_score computes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

namespace precis {

struct RougeScore {
  double precision = 0;
  double recall = 0;
  double f = 0;  ///< 2pr / (p + r)
};

struct Rouge {
  RougeScore rouge1;
  RougeScore rouge2;
  RougeScore rouge_l;
  RougeScore rouge_lsum;
};

/// ROUGE-1, ROUGE-2, ROUGE-L and, with the lines as sentences, ROUGE-L of the whole summary
/// (Lin 2004, sections 2, 3.1 and 3.2; each word of ROUGE-Lsum counts once, as in ROUGE-1.5.5), on
/// `rouge_words`. Time is the product of the lengths.
[[nodiscard]] Rouge rouge(std::string_view prediction, std::string_view reference, bool stemmer);

/// {"rouge1":{"p","r","f"},"rouge2":...,"rougeL":...,"rougeLsum":...}
[[nodiscard]] nlohmann::ordered_json to_json(const Rouge& rouge);

}  // namespace precis
