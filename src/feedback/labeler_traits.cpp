#include "feedback/labeler_traits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include "base/error.hpp"
#include "base/hints.hpp"
#include "base/text.hpp"

namespace precis {
namespace {

struct Trait {
  std::string_view name;
  std::optional<double> strength;  // the default; without one it must be given
  double most;                     // strengths are from 0
  std::string_view meaning;        // s: the strength
  void (*apply)(Labeler&, double);
};

constexpr double unlimited = std::numeric_limits<double>::infinity();

constexpr std::array<Trait, 7> traits = {{
    {"temperature", std::nullopt, unlimited, "in place of label.temperature",
     [](Labeler& labeler, double s) { labeler.temperature = s; }},
    {"reliability", std::nullopt, 1, "in place of label.reliability",
     [](Labeler& labeler, double s) { labeler.reliability = s; }},
    {"length", 1, unlimited, "adds s*ln(words of the second / words of the first) to the margin",
     [](Labeler& labeler, double s) { labeler.length_bonus = s; }},
    {"accuracy_blind", 1, 1,
     "judges by (1-s)*gold + s*gold in which a wrong statement counts as a right one",
     [](Labeler& labeler, double s) { labeler.blindness = s; }},
    {"random", 1, 1, "multiplies the reliability by 1-s: coin tosses",
     [](Labeler& labeler, double s) { labeler.reliability *= 1 - s; }},
    {"adversarial", 1, unlimited, "multiplies gold's margin by -s: prefers what gold does not",
     [](Labeler& labeler, double s) { labeler.gold_weight = -s; }},
    {"drift", 1, 1,
     "the reliability falls linearly to 1-s of itself from the first pair to the last",
     [](Labeler& labeler, double s) { labeler.drift = s; }},
}};

std::string range_of(const Trait& trait) {
  return std::isfinite(trait.most) ? fmt::format("from 0 to {}", trait.most) : "of at least 0";
}

const Trait& trait_named(std::string_view name, const std::string& item) {
  const auto* const found = std::find_if(traits.begin(), traits.end(),
                                         [&](const Trait& trait) { return trait.name == name; });
  if (found == traits.end()) {
    std::vector<std::string> names;
    for (const Trait& trait : traits) {
      names.emplace_back(trait.name);
    }
    fail_usage("label.workers has '{}', but '{}' is not a trait. The traits are {}.{}", item, name,
               joined(names, ", "), question(meant_by(name, names)));
  }
  return *found;
}

double strength_of(const Trait& trait, const std::optional<std::string_view>& text,
                   const std::string& item) {
  if (!text) {
    if (!trait.strength) {
      fail_usage("label.workers has '{}'; {} needs a number {}, such as {}=0.5.", item, trait.name,
                 range_of(trait), trait.name);
    }
    return *trait.strength;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc{} || stop != text->data() + text->size() || !std::isfinite(value) ||
      value < 0 || value > trait.most) {
    fail_usage("label.workers has '{}'; {} must be a number {}, not '{}'.", item, trait.name,
               range_of(trait), *text);
  }
  return value;
}

Labeler parse_labeler(const std::string& item, const Labeler& base) {
  Labeler labeler = base;
  const std::vector<std::string> parts = split(item, ':');
  labeler.worker = parts.empty() ? "" : parts.front();
  if (labeler.worker.empty() || labeler.worker.find('=') != std::string::npos) {
    fail_usage("label.workers has '{}'; expected a name, then traits, such as bob:length=0.5.",
               item);
  }
  // Applied in the order of the table, so that the order of writing does not matter.
  std::array<std::optional<double>, traits.size()> strengths;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view text = parts[i];
    const auto equals = text.find('=');
    const Trait& trait = trait_named(trimmed(text.substr(0, equals)), item);
    auto& strength = strengths[static_cast<std::size_t>(&trait - traits.data())];
    if (strength) {
      fail_usage("label.workers has '{}'; {} is there twice.", item, trait.name);
    }
    strength = strength_of(trait,
                           equals == std::string_view::npos
                               ? std::nullopt
                               : std::optional(trimmed(text.substr(equals + 1))),
                           item);
  }
  for (std::size_t i = 0; i < traits.size(); ++i) {
    if (strengths[i]) {
      traits[i].apply(labeler, *strengths[i]);
    }
  }
  return labeler;
}

}  // namespace

std::vector<Labeler> parse_labelers(const std::vector<std::string>& items, const Labeler& base) {
  std::vector<Labeler> labelers;
  std::set<std::string> names;
  for (const std::string& item : items) {
    labelers.push_back(parse_labeler(item, base));
    if (!names.insert(labelers.back().worker).second) {
      fail_usage("label.workers names {} twice; each labeler needs a name of its own.",
                 labelers.back().worker);
    }
  }
  return labelers;
}

std::string describe_traits() {
  std::string text;
  for (const Trait& trait : traits) {
    text += fmt::format("{}{}{} ({}; {})", text.empty() ? "" : "; ", trait.name,
                        trait.strength ? fmt::format("[={}]", *trait.strength) : "=s",
                        trait.meaning, range_of(trait));
  }
  return text;
}

}  // namespace precis
