# R's side of against_r.py:  Rscript against_r.R FOLDER means|ratios|by_the_book|replicates REPEATS REPLICATES
# Reads respondents.csv and margins.csv, writes doubles, and prints "name<TAB>value" lines.
suppressPackageStartupMessages(library(survey))
words <- commandArgs(trailingOnly = TRUE)
folder <- words[1]; task <- words[2]; repeats <- as.integer(words[3]); replicates <- as.integer(words[4])
tell <- function(name, value) cat(name, "\t", format(value, digits = 6), "\n", sep = "")
put <- function(values, name) writeBin(as.vector(t(values)), file.path(folder, paste0("r_", name, ".f8")))
seconds <- function(run) {
  times <- numeric(repeats)
  for (k in seq_len(repeats)) {
    gc(FALSE)
    times[k] <- system.time(found <- run())[["elapsed"]]
  }
  tell("seconds", median(times))
  found
}

all_rows <- read.csv(file.path(folder, "respondents.csv"), stringsAsFactors = TRUE)
margins <- read.csv(file.path(folder, "margins.csv"), stringsAsFactors = TRUE)
groups <- unique(as.character(margins$group))
all_rows$group <- factor(all_rows$group, levels = groups)
questions <- grep("^q[0-9]+$", names(all_rows), value = TRUE)
model <- ~ a + b + c
one_group <- split(all_rows, all_rows$group)

# what the dummies of the model should add up to in a group
totals <- function(group) {
  wanted <- margins[margins$group == group, ]
  of <- function(column) {
    own <- wanted[wanted$column == column, ]
    setNames(own$count, paste0(column, own$category))[-1]
  }
  c("(Intercept)" = sum(wanted$count[wanted$column == "a"]), of("a"), of("b"), of("c"))
}

# each group, a stratum of its own, is raked by itself
means_of <- function(estimate) {
  k <- length(questions)
  value <- matrix(0, length(groups), k)
  covariance <- matrix(0, k * length(groups), k * length(groups))
  for (g in seq_along(groups)) {
    y <- as.matrix(one_group[[g]][questions])
    rated <- !is.na(y)
    y[!rated] <- 0
    design <- svydesign(ids = ~1, weights = ~weight, data = one_group[[g]])
    design <- calibrate(design, model, totals(groups[g]), calfun = "raking", epsilon = 1e-10)
    found <- estimate(design, y, rated)
    here <- (g - 1) * k + seq_len(k)
    value[g, ] <- found$mean
    covariance[here, here] <- found$covariance
  }
  to_scores <- kronecker(matrix(1 / length(groups), 1, length(groups)), diag(k))
  list(means = value, covariance = covariance, scores = colMeans(value),
       score_covariance = to_scores %*% covariance %*% t(to_scores))
}

# the quickest way found: the covariance by totals of linearised variables
means <- function() means_of(function(design, y, rated) {
  w <- weights(design)
  size <- colSums(rated * w)
  mean <- colSums(y * w) / size
  linearised <- sweep(y - sweep(rated, 2, mean, "*"), 2, size, "/")
  list(mean = mean, covariance = vcov(svytotal(linearised, design)))
})

# the package's own joint covariance of means with blanks, of which the ratios of like to like are taken
ratios <- function() means_of(function(design, y, rated) {
  k <- ncol(y)
  found <- svyratio(as.data.frame(y), as.data.frame(rated + 0), design, covmat = TRUE)
  like <- (seq_len(k) - 1) * k + seq_len(k)
  list(mean = coef(found)[like], covariance = vcov(found)[like, like])
})

# one design of all groups, margins as interactions, and svyby of svymean question by question; no joint covariance
by_the_book <- function() {
  design <- svydesign(ids = ~1, strata = ~group, weights = ~weight, data = all_rows)
  own <- lapply(groups, totals)
  names(own) <- groups
  wanted <- unlist(lapply(groups, function(g) {
    rest <- own[[g]][-1]
    c(setNames(own[[g]][1], paste0("group", g)), setNames(rest, paste0("group", g, ":", names(rest))))
  }))
  design <- calibrate(design, ~ 0 + group + group:(a + b + c), wanted[colnames(model.matrix(
    ~ 0 + group + group:(a + b + c), all_rows[1, ]))], calfun = "raking", epsilon = 1e-10)
  found <- lapply(questions, function(q)
    svyby(as.formula(paste0("~", q)), ~group, design, svymean, na.rm = TRUE))
  list(means = sapply(found, coef), std_error = sapply(found, SE))
}

# bootstrap by group; means of all questions in all replicates as one matrix product
bootstrap <- function() {
  k <- length(questions)
  means <- matrix(0, replicates, k * length(groups))
  drawn <- vector("list", length(groups))
  for (g in seq_along(groups)) {
    design <- svydesign(ids = ~1, weights = ~weight, data = one_group[[g]])
    design <- as.svrepdesign(design, type = "subbootstrap", replicates = replicates, compress = FALSE)
    drawn[[g]] <- design$repweights
    design <- calibrate(design, model, totals(groups[g]), calfun = "raking", epsilon = 1e-10, compress = FALSE)
    y <- as.matrix(one_group[[g]][questions])
    rated <- !is.na(y)
    y[!rated] <- 0
    w <- weights(design, "analysis")
    means[, (g - 1) * k + seq_len(k)] <- crossprod(w, y) / crossprod(w, rated)
  }
  covariance <- svrVar(means, 1 / (replicates - 1), rep(1, replicates), mse = FALSE, coef = NULL)
  list(means = means, covariance = matrix(covariance, ncol(means)), drawn = drawn)
}

tell("survey", as.character(packageVersion("survey")))
tell("R", paste(R.version$major, R.version$minor, sep = "."))
tell("blas", basename(extSoftVersion()[["BLAS"]]))
if (task == "means") {
  found <- seconds(means)
  for (name in names(found)) put(found[[name]], name)
} else if (task == "ratios") {
  found <- seconds(ratios)
  for (name in names(found)) put(found[[name]], paste0("ratio_", name))
} else if (task == "by_the_book") {
  found <- seconds(by_the_book)
  put(found$means, "book_means")
  put(found$std_error, "book_std_error")
} else {
  found <- seconds(bootstrap)
  put(found$means, "replicate_means")
  put(found$covariance, "replicate_covariance")
  # some of its replicates, for a look whether the same ones give the same means
  first <- seq_len(min(20, replicates))
  rows <- matrix(0, nrow(all_rows), length(first))
  for (g in seq_along(groups)) rows[all_rows$group == groups[g], ] <- as.matrix(found$drawn[[g]])[, first]
  put(rows, "drawn")
}
