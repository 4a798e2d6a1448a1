# Simulated surveys, and what R makes of them.
#   Rscript tests/golden/make.R
# writes data/*.csv and the JSON files beside this script.
suppressPackageStartupMessages({
  library(survey)
  library(psych)
})
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
set.seed(20261123, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")

# With 17 digits doubles come back as they were. A matrix is a list of rows; a single value stands alone, unless I().
json <- function(x, pad = "") {
  within <- paste0(pad, " ")
  inside <- function(open, names, close) {
    lines <- paste0(within, names, sapply(x, json, pad = within), collapse = ",\n")
    paste0(open, "\n", lines, "\n", pad, close)
  }
  if (is.matrix(x)) x <- lapply(seq_len(nrow(x)), function(i) I(x[i, ]))
  if (is.list(x) && is.null(names(x))) return(inside("[", "", "]"))
  if (is.list(x)) return(inside("{", paste0('"', names(x), '": '), "}"))
  text <- if (is.character(x)) paste0('"', x, '"') else sprintf("%.17g", as.numeric(x))
  if (length(text) == 1 && !inherits(x, "AsIs")) text else paste0("[", paste(text, collapse = ", "), "]")
}
save_json <- function(name, ...) {
  version <- function(package) as.character(packageVersion(package))
  about <- list(data = "simulated", R = R.version.string, survey = version("survey"), psych = version("psych"))
  writeLines(json(list(about = about, ...)), file.path(here, name))
}
save_csv <- function(x, name) {
  write.csv(x, file.path(here, "data", name), row.names = FALSE, na = "", quote = FALSE)
}
as_object <- function(x) if (is.list(x)) lapply(x, as_object) else as.list(x)
# A covariance is kept by the rows of its lower triangle.
lower <- function(V) lapply(seq_len(nrow(V)), function(i) I(unname(V[i, 1:i])))
close_to <- function(a, b) {
  stopifnot(isTRUE(all.equal(unname(as.matrix(a)), unname(as.matrix(b)), tolerance = 1e-11)))
}
named <- function(names, f) lapply(setNames(names, names), f)

# ---- data ----
questions <- paste0("y", 1:8)
rate <- function(d, shift, cluster) {
  answer <- sapply(1:8, function(j) {
    gender <- (d$gender == "woman") * 0.5 * (-1)^j
    region <- (d$region == "south") * 0.4 - (d$region == "west") * 0.1 * j
    latent <- 2.2 + 0.3 * j + shift[j] + gender + region + cluster + d$lenience + rnorm(nrow(d), 0, 0.9)
    pmin(5, pmax(1, round(latent)))
  })
  skipped <- matrix(runif(length(answer)) < 0.08, nrow(answer))
  skipped[rowSums(skipped) > 3, ] <- FALSE
  answer[skipped] <- NA
  colnames(answer) <- questions
  as.data.frame(answer)
}
sizes <- c(staff = 120, customers = 80, suppliers = 40, investors = 20)
groups <- names(sizes)
layers <- list(
  staff = c("office", "plant", "field"), customers = c("retail", "trade"),
  suppliers = c("local", "abroad"), investors = "all"
)
in_clusters <- c(staff = 0, customers = 60, suppliers = 34, investors = 0)
survey_of <- function(name) {
  n <- sizes[[name]]
  k <- in_clusters[[name]]
  d <- data.frame(
    group = rep(name, n),
    gender = sample(c("woman", "man"), n, TRUE, c(0.35, 0.65)),
    region = sample(c("north", "south", "west"), n, TRUE, c(0.5, 0.3, 0.2))
  )
  d$stratum <- sample(layers[[name]], n, TRUE)
  d$cluster <- ""
  effect <- rep(0, n)
  if (k) {
    firms <- if (name == "customers") 15 else 11
    firm <- c(seq_len(firms), sample(firms, k - firms, TRUE))
    d$cluster[1:k] <- sprintf("%s%02d", substr(name, 1, 1), firm)
    d$stratum[1:k] <- layers[[name]][1 + firm %% 2]
    effect[1:k] <- rnorm(firms, 0, 0.5)[firm]
  }
  d$weight <- round(ifelse(d$region == "north", 0.8, 1.3) * exp(rnorm(n, 0, 0.3)), 3)
  d$lenience <- rnorm(n, 0, 0.4)
  cbind(d, rate(d, rnorm(8, 0, 0.4), effect))
}
four <- do.call(rbind, lapply(groups, survey_of))
four <- four[sample(nrow(four)), ]
rownames(four) <- NULL
four$id <- sprintf("r%03d", seq_len(nrow(four)))
# one supplier who answered everything is alone in a stratum
alone <- which(four$group == "suppliers" & rowSums(is.na(four[questions])) == 0)[1]
four$lonely <- ifelse(seq_len(nrow(four)) == alone, "alone", four$stratum)
four <- four[c("id", "group", "gender", "region", "stratum", "lonely", "cluster", "weight", questions)]

one <- data.frame(
  id = sprintf("p%03d", 1:240),
  gender = sample(c("woman", "man"), 240, TRUE, c(0.3, 0.7)),
  region = sample(c("north", "south", "west"), 240, TRUE, c(0.55, 0.3, 0.15)),
  contract = sample(c("permanent", "temporary", ""), 240, TRUE, c(0.6, 0.3, 0.1)),
  weight = round(exp(rnorm(240, 0, 0.35)), 3),
  lenience = rnorm(240, 0, 0.5)
)
one <- cbind(one, rate(one, rep(0, 8), 0))
one$lenience <- NULL
save_csv(four, "four_groups.csv")
save_csv(one, "one_group.csv")

population <- c(staff = 900, customers = 5000, suppliers = 130, investors = 25)
everybody <- 6055
of_stratum <- c(
  staff.office = 400, staff.plant = 300, staff.field = 200, customers.retail = 3500, customers.trade = 1500,
  suppliers.local = 80, suppliers.abroad = 50, investors.all = 25
)
of_lonely <- c(of_stratum, suppliers.alone = 10)
units <- c(staff = 900, customers = 700, suppliers = 45, investors = 25)
margins <- list(
  staff = list(gender = c(woman = 480, man = 420), region = c(north = 350, south = 350, west = 200)),
  customers = list(gender = c(woman = 2400, man = 2600), region = c(north = 2500, south = 1000, west = 1500)),
  suppliers = list(gender = c(woman = 60, man = 70))
)
one_population <- 4000
one_margins <- list(
  gender = c(woman = 1900, man = 2100), region = c(north = 1500, south = 1300, west = 1200),
  contract = c(permanent = 3000, temporary = 1000)
)
sets <- list(
  impact = c(staff = 0.4, customers = 0.3, suppliers = 0.2, investors = 0.1),
  business = c(staff = 0.1, customers = 0.2, suppliers = 0.3, investors = 0.4)
)

# ---- estimates ----
# The means of every group (the questions inside the groups) with their covariance, by svytotal of the linearised
# variables: whoever skipped a question stays in the design. Each group's block is checked against svyratio.
plus <- function(names) as.formula(paste("~ 0 +", paste(names, collapse = "+")))
means_of <- function(design, group) {
  d <- design$variables
  w <- weights(design, "sampling")
  estimate <- numeric()
  u <- NULL
  for (g in unique(group)) for (q in questions) {
    r <- as.numeric(group == g & !is.na(d[[q]]))
    y <- ifelse(r == 1, d[[q]], 0)
    mean <- sum(w * y) / sum(w * r)
    estimate[paste0(g, ":", q)] <- mean
    u <- cbind(u, (y - mean * r) / sum(w * r))
  }
  colnames(u) <- names(estimate)
  V <- vcov(svytotal(u, design))
  dimnames(V) <- list(names(estimate), names(estimate))
  for (g in unique(group)) {
    rated <- named(questions, function(q) group == g & !is.na(d[[q]]))
    y <- named(questions, function(q) ifelse(rated[[q]], d[[q]], 0))
    r <- setNames(lapply(rated, as.numeric), paste0("r", 1:8))
    again <- design
    again$variables <- data.frame(y, r)
    ratio <- svyratio(plus(names(y)), plus(names(r)), again, covmat = TRUE)
    own <- paste0(g, ":", questions)
    place <- (0:7) * 8 + 1:8
    close_to(coef(ratio)[place], estimate[own])
    close_to(vcov(ratio)[place, place], V[own, own])
  }
  structure(estimate, var = V, class = "svystat")
}
scores_of <- function(m) {
  lambda <- list()
  for (s in names(sets)) for (q in questions) {
    l <- setNames(rep(0, length(m)), names(coef(m)))
    l[paste0(groups, ":", q)] <- sets[[s]][groups]
    lambda[[paste0(s, ":", q)]] <- l
  }
  svycontrast(m, lambda)
}
# `factor` multiplies the covariance within each group.
four_result <- function(design, factor = NULL) {
  m <- means_of(design, four$group)
  of <- named(groups, function(g) paste0(g, ":", questions))
  for (g in names(factor)) attr(m, "var")[of[[g]], of[[g]]] <- vcov(m)[of[[g]], of[[g]]] * factor[[g]]
  s <- scores_of(m)
  list(
    means = lapply(of, function(own) as.numeric(coef(m)[own])),
    covariance = lapply(of, function(own) lower(vcov(m)[own, own])),
    scores = as.numeric(coef(s)),
    scores_covariance = lower(as.matrix(vcov(s)))
  )
}
four$within <- paste0(four$group, ".", four$stratum)
four$within_lonely <- paste0(four$group, ".", four$lonely)
four$unit <- ifelse(four$cluster == "", four$id, four$cluster)
four$N <- population[four$group]
four$N_stratum <- of_stratum[four$within]
four$N_lonely <- of_lonely[four$within_lonely]
four$N_units <- units[four$group]
four$everybody <- everybody
sampled <- sapply(split(four$unit, four$group), function(x) length(unique(x)))[groups]
design_of <- function(..., id = ~1, weights = ~weight) {
  svydesign(id = id, weights = weights, nest = TRUE, data = four, ...)
}
designs <- list(
  groups = design_of(strata = ~group),
  groups_fpc = design_of(strata = ~group, fpc = ~N),
  strata = design_of(strata = ~within),
  strata_fpc = design_of(strata = ~within, fpc = ~N_stratum),
  clusters = design_of(strata = ~group, id = ~unit),
  clusters_fpc = design_of(strata = ~group, id = ~unit, fpc = ~N_units),
  clusters_in_strata = design_of(strata = ~within, id = ~unit),
  domains = design_of(),
  domains_fpc = design_of(fpc = ~everybody)
)
lonely <- list(
  lonely = design_of(strata = ~within_lonely),
  lonely_fpc = design_of(strata = ~within_lonely, fpc = ~N_lonely)
)
estimates <- lapply(designs, four_result)
options(survey.lonely.psu = "adjust")
estimates <- c(estimates, lapply(lonely, four_result))
options(survey.lonely.psu = "fail")

# ---- degrees of freedom, intervals and ellipses, by their formulae ----
rated_by <- function(g, q) four$group == g & !is.na(four[[q]])
# Each sample's own part of a score's variance, from its respondents' u, and its raters less one.
df_of <- function(sample, l, q) {
  u <- rep(0, nrow(four))
  for (g in groups) {
    i <- rated_by(g, q)
    w <- four$weight[i]
    y <- four[[q]][i]
    u[i] <- l[[g]] * w * (y - sum(w * y) / sum(w)) / sum(w)
  }
  parts <- split(seq_along(u), sample)
  V <- sapply(parts, function(i) var(u[i]) * length(i))
  sum(V)^2 / sum(V^2 / sapply(parts, function(i) sum(!is.na(four[[q]][i])) - 1))
}
each_score <- function(f) as.numeric(sapply(sets, function(l) sapply(questions, function(q) f(l, q))))
plain <- means_of(designs$groups, four$group)
score <- scores_of(plain)
joint <- unname(as.matrix(vcov(score)))
se <- sqrt(diag(joint))
df <- each_score(function(l, q) df_of(four$group, l, q))
end <- function(p) as.numeric(coef(score)) + qt(p, df) * se
root_of <- function(e) e$vectors %*% diag(sqrt(e$values)) %*% t(e$vectors)
pair <- eigen(joint[c(1, 9), c(1, 9)], symmetric = TRUE)
all_scores <- eigen(joint, symmetric = TRUE)
by_group_and_question <- function(f) t(sapply(groups, function(g) sapply(questions, function(q) f(g, q))))
satterthwaite <- list(
  df = df,
  df_strata = each_score(function(l, q) df_of(four$within, l, q)),
  raters = by_group_and_question(function(g, q) sum(rated_by(g, q))),
  low_95 = end(0.025), high_95 = end(0.975), low_90 = end(0.05), high_90 = end(0.95),
  effective_n = by_group_and_question(function(g, q) {
    w <- four$weight[rated_by(g, q)]
    sum(w)^2 / sum(w^2)
  }),
  design_effect = sapply(groups, function(g) {
    w <- four$weight[four$group == g]
    1 + mean((w - mean(w))^2) / mean(w)^2
  }),
  ellipse = list(
    semi_axes = sqrt(pair$values), angle = atan2(pair$vectors[2, 1], pair$vectors[1, 1]) %% pi, root = root_of(pair)
  ),
  eigenvalues = all_scores$values, root = root_of(all_scores)
)
save_json(
  "estimates.json",
  populations = as_object(population), strata = as_object(of_lonely), units = as_object(units),
  units_sampled = as_object(sampled), everybody = everybody, sets = sets,
  estimates = estimates, satterthwaite = satterthwaite
)

# ---- raking ----
# To the margins' shares of the sum of design weights: from there to a population's total is too far for calibrate().
totals <- numeric()
for (g in names(margins)) for (k in seq_along(margins[[g]])) {
  margin <- margins[[g]][[k]]
  column <- names(margins[[g]])[k]
  for (category in names(margin)[if (k == 1) seq_along(margin) else -1]) {
    dummy <- paste("d", g, category, sep = "_")
    four[[dummy]] <- as.numeric(four$group == g & four[[column]] == category)
    totals[dummy] <- margin[[category]] / sum(margin) * sum(four$weight[four$group == g])
  }
}
raking <- function(d, formula, population, ...) {
  calibrate(d, formula, population, calfun = "raking", epsilon = 1e-12, maxit = 500, ...)
}
raked <- named(setdiff(names(designs), "domains_fpc"), function(name) {
  d <- designs[[name]]
  d$variables <- four
  raking(d, plus(names(totals)), totals)
})
four$raked <- weights(raked$groups)
# Given weights, times n/(n - p) in place of n/(n - 1) for p coefficients of the margins.
p <- c(staff = 4, customers = 4, suppliers = 2, investors = 1)
cautious <- function(..., n = sizes) four_result(design_of(weights = ~raked, ...), factor = (n - 1) / (n - p))

one$N <- one_population
whole <- svydesign(id = ~1, weights = ~weight, data = one)
whole_fpc <- svydesign(id = ~1, weights = ~weight, fpc = ~N, data = one)
wanted <- lapply(one_margins, function(m) m / sum(m) * sum(one$weight))
to_gender <- c("(Intercept)" = sum(one$weight), genderwoman = wanted$gender[["woman"]])
to_both <- c(to_gender, regionsouth = wanted$region[["south"]], regionwest = wanted$region[["west"]])
# Whoever names no contract is in a category that keeps its share of the design weights.
left <- sum(one$weight[one$contract != ""]) / sum(one$weight)
to_contract <- c(
  to_gender,
  contractpermanent = left * wanted$contract[["permanent"]], contracttemporary = left * wanted$contract[["temporary"]]
)
table_of <- function(column) {
  setNames(data.frame(names(wanted[[column]]), as.numeric(wanted[[column]])), c(column, "Freq"))
}
one_result <- function(d) {
  m <- means_of(d, rep("one", 240))
  list(weights = share(d), means = as.numeric(coef(m)), covariance = lower(vcov(m)))
}
share <- function(d) as.numeric(weights(d) / sum(weights(d)))
both <- raking(whole, ~gender + region, to_both)
fitted <- rake(
  whole, list(~gender, ~region), list(table_of("gender"), table_of("region")),
  control = list(maxit = 1000, epsilon = 1e-14, verbose = FALSE)
)
# Strict trimming calls itself until nobody is outside, and with some bounds never ends by rounding.
trimmed_to <- function(d, low, high) {
  mean <- mean(weights(d))
  trimWeights(d, lower = low * mean, upper = high * mean, strict = TRUE)
}
trimmed <- trimmed_to(both, 0.5, 2)
one$trimmed <- weights(trimmed)
save_json(
  "raking.json",
  margins = as_object(margins), one_margins = as_object(one_margins), one_population = one_population,
  weights = named(groups, function(g) four$raked[four$group == g] / sum(four$raked[four$group == g])),
  four = lapply(raked, four_result),
  cautious = list(
    groups = cautious(strata = ~group), groups_fpc = cautious(strata = ~group, fpc = ~N),
    strata = cautious(strata = ~within), clusters = cautious(strata = ~group, id = ~unit, n = sampled)
  ),
  one = list(
    unweighted = one_result(whole),
    gender = one_result(raking(whole, ~gender, to_gender)),
    gender_region = one_result(both),
    gender_region_fpc = one_result(raking(whole_fpc, ~gender + region, to_both)),
    gender_contract_kept = one_result(raking(whole, ~gender + contract, to_contract)),
    region_poststratified = one_result(postStratify(whole, ~region, table_of("region"))),
    gender_region_fitted = list(weights = share(fitted)),
    trimmed = list(
      weights = share(trimmed), means = one_result(svydesign(id = ~1, weights = ~trimmed, data = one))$means
    ),
    design_trimmed = list(weights = share(trimmed_to(whole, 0.7, 1.3)))
  )
)

# ---- jackknife ----
jackknife <- function(d, type) as.svrepdesign(d, type = type, mse = TRUE, compress = FALSE)
replicated <- function(rep, group) {
  mean_of <- function(w, y) sum(w * y, na.rm = TRUE) / sum(w[!is.na(y)])
  s <- withReplicates(rep, function(w, data) {
    means <- function(g) sapply(questions, function(q) mean_of(w[group == g], data[group == g, q]))
    unlist(lapply(unique(group), means))
  })
  result <- named(unique(group), function(g) {
    own <- (match(g, unique(group)) - 1) * 8 + 1:8
    list(means = as.numeric(coef(s))[own], covariance = lower(as.matrix(vcov(s))[own, own]))
  })
  if (length(result) == 1) result[[1]] else result[groups]
}
jkn <- function(name) replicated(jackknife(designs[[name]], "JKn"), four$group)
with_dummies <- designs$groups
with_dummies$variables <- four
again <- function(d, ...) raking(d, ..., compress = FALSE)
jk1 <- jackknife(whole, "JK1")
everyone <- rep("one", 240)
save_json(
  "jackknife.json",
  jkn = jkn("groups"), jkn_fpc = jkn("groups_fpc"), jkn_strata = jkn("strata"), jkn_clusters = jkn("clusters"),
  jkn_raked = replicated(again(jackknife(with_dummies, "JKn"), plus(names(totals)), totals), four$group),
  jk1 = replicated(jk1, everyone),
  jk1_raked_gender = replicated(again(jk1, ~gender, to_gender), everyone),
  jk1_raked_gender_region = replicated(again(jk1, ~gender + region, to_both), everyone)
)

# ---- agreement, carelessness, judgements, quantiles ----
tests <- lapply(questions, function(q) kruskal.test(four[[q]], factor(four$group)))
pick <- function(field) as.numeric(sapply(tests, `[[`, field))
n <- sapply(questions, function(q) sum(!is.na(four[[q]])))
kruskal <- list(
  statistic = pick("statistic"), df = pick("parameter"), p = pick("p.value"),
  epsilon_squared = pick("statistic") / (n - 1), n = n,
  holm = p.adjust(pick("p.value"), "holm"), bh = p.adjust(pick("p.value"), "BH")
)

friedman <- function(m) {
  m <- unname(as.matrix(m))
  f <- friedman.test(m)
  w <- as.numeric(f$statistic) / (nrow(m) * (ncol(m) - 1))
  list(w = w, statistic = as.numeric(f$statistic), df = as.numeric(f$parameter), p = f$p.value, raters = nrow(m))
}
complete <- function(d) d[complete.cases(d[questions]), questions]
group_means <- t(matrix(coef(plain)[paste0(rep(groups, each = 8), ":", questions)], 8))

items <- complete(one)
a <- suppressWarnings(psych::alpha(items, check.keys = FALSE, warnings = FALSE))
interval <- psych::alpha.ci(a$total$raw_alpha, n.obs = nrow(items), n.var = 8, digits = 17)
alpha <- list(
  n = nrow(items), raw = a$total$raw_alpha, standardised = a$total$std.alpha,
  raw_without = a$alpha.drop$raw_alpha, standardised_without = a$alpha.drop$std.alpha,
  lower = as.numeric(interval$lower.ci), upper = as.numeric(interval$upper.ci),
  covariance = unname(cov(items)), halves = cor(rowSums(items[1:4]), rowSums(items[5:8]))
)

l <- sets$impact[groups]
from_middle <- t(t(group_means) - colSums(l * group_means))
disagreement <- list(
  std_dev = sqrt(colSums(l * from_middle^2)),
  range = apply(group_means, 2, max) - apply(group_means, 2, min),
  highest = apply(group_means, 2, which.max) - 1,
  lowest = apply(group_means, 2, which.min) - 1
)
careless <- list(
  spread = as.numeric(apply(one[questions], 1, sd, na.rm = TRUE)),
  longest_run = as.numeric(apply(one[questions], 1, function(y) max(rle(y[!is.na(y)])$lengths))),
  mahalanobis = as.numeric(mahalanobis(items, colMeans(items), cov(items)))
)

random_index <- c(0, 0, 0.58, 0.90, 1.12)
reciprocal <- function(k, judgements) {
  m <- diag(k)
  m[lower.tri(m)] <- 1 / judgements
  m[upper.tri(m)] <- t(1 / m)[upper.tri(m)]
  m
}
judged <- function(m) {
  k <- nrow(m)
  e <- eigen(m)
  lambda <- Re(e$values[1])
  weights <- abs(Re(e$vectors[, 1]))
  geometric <- exp(rowMeans(log(m)))
  left <- log(m * outer(1 / geometric, geometric))
  list(
    matrix = m, weights = weights / sum(weights), eigenvalue = lambda,
    consistency_index = (lambda - k) / (k - 1), consistency_ratio = (lambda - k) / (k - 1) / random_index[k],
    geometric = geometric / sum(geometric),
    geometric_index = 2 / ((k - 1) * (k - 2)) * sum(left[upper.tri(left)]^2)
  )
}
judges <- list(
  reciprocal(4, c(2, 4, 1 / 3, 3, 1 / 5, 1 / 7)),
  reciprocal(4, c(3, 5, 1 / 2, 2, 1 / 3, 1 / 5)),
  reciprocal(4, c(1, 6, 1 / 4, 4, 1 / 6, 1 / 9))
)

x <- c(9, 3, 0, 50, 41)
of <- c(10, 17, 12, 50, 60)
ends <- function(test, level) t(mapply(function(x, n) as.numeric(test(x, n, conf.level = level)$conf.int), x, of))
wilson <- function(...) suppressWarnings(prop.test(..., correct = FALSE))
t_df <- c(1, 2.5, 7, 30, 259.3)
save_json(
  "agreement.json",
  kruskal = kruskal,
  friedman = list(persons = friedman(complete(four)), one = friedman(items), groups = friedman(group_means)),
  alpha = alpha, disagreement = disagreement, careless = careless,
  judgements = list(
    own = judged(reciprocal(5, c(2, 5, 3, 7, 3, 1 / 2, 4, 1 / 4, 2, 6))),
    three = judges, pooled = judged(exp(Reduce(`+`, lapply(judges, log)) / 3))
  ),
  binomial = list(
    x = x, n = of,
    clopper_pearson_95 = ends(binom.test, 0.95), clopper_pearson_90 = ends(binom.test, 0.90),
    wilson_95 = ends(wilson, 0.95), wilson_90 = ends(wilson, 0.90)
  ),
  t = list(df = t_df, q95 = qt(0.975, t_df), q90 = qt(0.95, t_df), q99 = qt(0.995, t_df))
)
