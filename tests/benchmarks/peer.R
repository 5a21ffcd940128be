# Rscript peer.R PACKAGE FOLDER: fits the problem in FOLDER once for each tolerance on standard
# input, writes the path there (intercept and coefficients by class by lambda) and prints
# "done CPU WALL".

arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]
folder <- arguments[2]
suppressPackageStartupMessages(library(package, character.only = TRUE))

numbers <- function(name) {
  path <- file.path(folder, paste0(name, ".f64"))
  readBin(path, "double", file.size(path) / 8)
}

facts <- numbers("facts")
p <- facts[2]
classes <- facts[3]
gamma <- facts[4]
X <- matrix(numbers("X"), facts[1], p)
y <- numbers("y")
lambdas <- numbers("lambdas")
sizes <- numbers("sizes")
weights <- numbers("weights")

# Every call solves all lambdas given: glmnet's early exits are off.
fit_glmnet <- function(tol) {
  glmnet.control(fdev = 0, devmax = 1)
  if (classes == 1) {
    glmnet(X, y, family = "gaussian", lambda = lambdas, standardize = FALSE, thresh = tol,
           maxit = 1e7)
  } else {
    # A column's weight over the classes is sqrt(classes) here and 1 there.
    glmnet(X, factor(y, levels = seq_len(classes)), family = "multinomial",
           type.multinomial = "grouped", lambda = lambdas * weights[1], standardize = FALSE,
           thresh = tol, maxit = 1e7)
  }
}

fit_grpreg <- function(tol) {
  grpreg(X, y, group = rep(seq_along(sizes), sizes), penalty = "grMCP", family = "gaussian",
         lambda = lambdas, gamma = gamma, eps = tol, max.iter = 1e7, group.multiplier = weights)
}

fit <- list(glmnet = fit_glmnet, grpreg = fit_grpreg)[[package]]

# (p + 1, classes, lambdas)
as_array <- function(model) {
  if (package == "grpreg") return(array(model$beta, c(p + 1, 1, ncol(model$beta))))
  if (classes == 1) return(array(rbind(model$a0, as.matrix(model$beta)), c(p + 1, 1, length(model$a0))))
  out <- array(0, c(p + 1, classes, length(model$lambda)))
  for (k in seq_len(classes)) {
    out[1, k, ] <- model$a0[k, ]
    out[-1, k, ] <- as.matrix(model$beta[[k]])
  }
  out
}

commands <- file("stdin", "r")
repeat {
  line <- readLines(commands, n = 1)
  if (!length(line)) break
  gc()
  before <- proc.time()
  model <- fit(as.numeric(line))
  after <- proc.time()
  writeBin(as.vector(as_array(model)), file.path(folder, "path.f64"))
  cpu <- sum(after[c("user.self", "sys.self")]) - sum(before[c("user.self", "sys.self")])
  cat("done", cpu, after[["elapsed"]] - before[["elapsed"]], "\n")
  flush(stdout())
}
